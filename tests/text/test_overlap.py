"""Overlap of training and test questions: found whatever the typography, refused with a clear message."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rft.records import Problem
from rft.stages.problems import write_problems
from rft.stages.relabel import _HeldOut
from rft.text import gsm8k
from rft.text.overlap import Asked, normalise, overlaps, refuse_overlap
from tests.lone_stage import given_problems, working

TEST = [Asked("Janet\u2019s ducks lay 16 eggs.  How many?", "16"), Asked("Bob has 2 cats.", "2")]


def asked(*questions: str) -> list[Asked]:
    return [Asked(question, None) for question in questions]


def test_typography_does_not_hide_an_overlap() -> None:
    assert normalise("Janet\u2019s  \uff11\uff16 EGGS?") == normalise("janet's 16 eggs") == "janet s 16 eggs"
    assert overlaps(asked("new", "BOB has 2 cats", "Janet's ducks lay 16 eggs. How many"), TEST) == [(1, 1), (2, 0)]
    assert overlaps(asked("Bob has 3 cats."), TEST) == []


def test_overlap_is_refused() -> None:
    refuse_overlap(asked("Bob has 3 cats."), TEST, name="mine.jsonl")
    with pytest.raises(
        ValueError, match=r"1 of 2 questions of mine.jsonl .* question 2, test question 2: 'bob has 2 cats'"
    ):
        refuse_overlap(asked("new", "bob has 2 cats"), TEST, name="mine.jsonl")


def test_gsm8k_splits_do_not_meet(gsm8k_dir: Path) -> None:
    train, test = (
        [Asked(p.question, p.gold) for p in gsm8k.read_problems(gsm8k_dir / f"{s}.jsonl")] for s in ("train", "test")
    )
    assert overlaps(train, test) == []
    assert len(overlaps(test[:5] + train[:5], test)) == 5


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_held_out_question_is_found_in_other_typography(tmp_path: Path, split: str) -> None:
    inputs = {given_problems(name): tmp_path / name for name in ("test", "validation")}
    for stage, folder in inputs.items():
        folder.mkdir()
        write_problems([Problem("t-0", TEST[0].question, "", "16")] if stage.split == split else [], folder)
    relabel: Any = SimpleNamespace(held_out=tuple(inputs), world=None)  # of a data set from files
    with working(tmp_path, inputs) as work:
        held_out = _HeldOut.of(relabel, work)
    assert "JANET's ducks lay 16 eggs: how many" in held_out
    assert "Janet's ducks lay 17 eggs. How many?" not in held_out
    assert "(Janet's ducks) lay 16 eggs! How many?" in held_out  # in doubt
