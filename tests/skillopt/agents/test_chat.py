"""What of a model's reply is the answer that is scored."""

from __future__ import annotations

import pytest

from skillopt.agents.chat import ChatAgent
from skillopt.core.skill import Skill
from skillopt.core.task import Split, Task
from skillopt.testing import ScriptedModel

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Graz", "Graz"),
        (" Graz\n", " Graz\n"),
        ("<think>\nGraz or Lisbon?\n</think>\n\nGraz", "Graz"),
        ("<think>Lisbon</think><think>no</think>Graz", "Graz"),
        ("<think>Graz or Lis", ""),
        ("<think>Graz</think>", ""),
        ("Write <think>so</think> in the file", "Write <think>so</think> in the file"),
    ],
)
async def test_thoughts_are_no_answer(reply: str, answer: str) -> None:
    trajectory = await ChatAgent(ScriptedModel([reply])).run(Task("a", "Where?", Split.TRAIN), Skill(""))
    assert trajectory.answer == answer
    assert trajectory.steps == ()


def test_another_way_to_answer_is_another_agent() -> None:
    assert ChatAgent(ScriptedModel([])).identity == "chat/2:scripted/1"
