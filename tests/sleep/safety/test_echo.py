"""A lesson that repeats what was held out is flagged; one that says what training said is not."""

from __future__ import annotations

import pytest

from skillopt_sleep.safety import HeldOut, screen

SECRET = "the invoice total always goes into the seventh column of the report"
COMMAND = "./scripts/release.sh --channel nightly --sign"


def names(text: str, held_out: HeldOut) -> list[str]:
    return [finding.name for finding in screen(text, held_out)]


@pytest.mark.parametrize(
    "text",
    [
        "The invoice total always goes into the seventh column of the report.",
        "THE INVOICE TOTAL, always: goes into the seventh column (of the report)!",
        "Remember: the invoice total always goes into the seventh column of the report, please.",
        "The invoice totl always goes into the sevnth colum of the report.",
        "The invoice total always goes into the seventh column of reports.",
    ],
)
def test_a_held_out_sentence_is_recognised(text: str) -> None:
    assert names(text, HeldOut(texts=(SECRET,))) == ["echo"]
    assert names(text, HeldOut(texts=(SECRET,), heard=("no, " + SECRET,))) == []


@pytest.mark.parametrize(
    "text",
    [
        "Use pnpm, not npm, in this repo.",
        "Put the total in the report.",
        "Sign off commits.",
        "The seventh.",
        "The invoice total goes into the first line.",
        "Put the report into the invoice folder.",
    ],
)
def test_common_speech_is_not(text: str) -> None:
    held_out = (SECRET, "use pnpm", "no, sign off", "pnpm not npm here please", "sign off the commits")
    assert names(text, HeldOut(texts=held_out)) == []


def test_a_literal_of_a_held_out_check_is_recognised() -> None:
    text = f"Release with {COMMAND.replace(' --', '  --')} only."
    assert names(text, HeldOut(literals=(COMMAND,))) == ["echo"]
    assert names(text, HeldOut(literals=(COMMAND,), heard=(f"$ {COMMAND}",))) == []
    assert names("Use git commit.", HeldOut(literals=("git commit",))) == []
