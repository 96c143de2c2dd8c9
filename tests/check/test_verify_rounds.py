"""`rft verify` of models that go on from another: their steps and tokens add up over the rounds, and over nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from composing import compute, tiny

from rft.check.finding import Finding, failed
from rft.check.verify import Asked, verify
from rft.records import RECORD_FILE, Record, read_json, write_json

WORDS = ("method=expert_iteration", "k=2", "temperature=1.5", "methods.expert_iteration.rounds=3")


def found(place: Path) -> list[Finding]:
    return [one for one in verify(place / "study", Asked(str(place / ".store"), ())) if failed([one])]


@pytest.mark.parametrize("start", ["last", "base"])
def test_an_untouched_study_is_right_and_another_sum_is_not(tmp_path: Path, start: str):
    words = (*WORDS, f"methods.expert_iteration.train_from={start}", f"store.root={tmp_path}/.store")
    folder = compute(tiny(*words), study=tmp_path / "study")
    assert found(tmp_path) == []
    row = read_json(folder / RECORD_FILE)
    record = Record.from_json(row)
    parts = [cost for cost in record.cost if cost.name == "finetune"]
    assert len(parts) == 4, "SFT, which is sampled, and three rounds"
    row["data"]["target_tokens"] = sum(cost.tokens for cost in parts)
    write_json(folder / RECORD_FILE, row)
    assert any("data.target_tokens is" in one.why for one in found(tmp_path))
