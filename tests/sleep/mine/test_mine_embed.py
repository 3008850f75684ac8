from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillopt_sleep.mine.embed import HashedNgrams

TEXTS = ["install the dependencies", "Installing dependencies, please", "who calls renderPage?"]


@given(st.text(max_size=60))
def test_a_vector_has_length_one_or_none(text: str) -> None:
    (vector,) = HashedNgrams().embed([text])
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5) or not vector.any()


def test_each_text_is_embedded_by_itself() -> None:
    embedder = HashedNgrams()
    together = embedder.embed(TEXTS)
    assert together.shape == (3, 512)
    for row, text in zip(together, TEXTS, strict=True):
        assert np.array_equal(row, embedder.embed([text])[0])
    assert embedder.embed([]).shape == (0, 512)


def test_another_process_finds_the_same_vectors() -> None:
    code = (
        "from skillopt_sleep.mine.embed import HashedNgrams\n"
        f"print(HashedNgrams().embed({TEXTS!r}).tobytes().hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert outputs == {HashedNgrams().embed(TEXTS).tobytes().hex()}


def test_case_width_and_blanks_do_not_matter() -> None:
    one, other = HashedNgrams().embed(["Install   the\ndeps", "ｉnstall the deps"])
    assert np.allclose(one, other)


def test_inflections_are_nearer_than_other_requests() -> None:
    a, b, c = HashedNgrams().embed(TEXTS)
    assert a @ b > 0.4 > a @ c


def test_its_name_says_when_vectors_change() -> None:
    assert HashedNgrams(64).name != HashedNgrams(128).name
