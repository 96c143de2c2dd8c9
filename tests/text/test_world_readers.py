"""What a reader who saw no gold answered to 200 problems of each difficulty (tests/reading/), against the world of today."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reading_list import disagreements, problems

READING = Path(__file__).resolve().parents[1] / "reading"
SEED = 7101  # of the world; nothing else uses it
MIDDLE = (
    "data.world.min_steps=3",
    "data.world.max_steps=5",
    "data.world.num_graphs=2000",
    "data.world.max_distractors=2",
    "data.world.max_value=100",
)


@pytest.mark.parametrize("name", ["easy", "middle"])
def test_a_reader_without_golds_gets_the_golds(name: str):
    """Agreement asked for: 99 %."""
    golds, answers = ((READING / f"{name}.{kind}").read_text() for kind in ("gold", "answers"))
    count, wrong = disagreements(golds, answers)
    assert count == 200
    assert len(wrong) <= 2, wrong


@pytest.mark.parametrize(("name", "overrides"), [("easy", ()), ("middle", MIDDLE)])
def test_the_world_still_tells_the_problems_that_were_read(name: str, overrides: tuple[str, ...]):
    """Where its wording changes, a fresh reader has to solve fresh lists (tests/reading_list.py)."""
    found = problems(overrides, seed=SEED, count=200)
    told = "".join(f"{number}. {problem.question}\n" for number, problem in enumerate(found, 1))
    assert told == (READING / f"{name}.txt").read_text()
    assert "".join(f"{n} {p.gold}\n" for n, p in enumerate(found, 1)) == (READING / f"{name}.gold").read_text()
