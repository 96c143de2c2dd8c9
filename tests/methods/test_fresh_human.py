"""Fresh human problems: as many as are asked for at RFT's optimiser steps, fewer inside more, old keys unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest
from composing import compute, tiny

from rft.infra.store import Store
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.records import Record, read_json, read_jsonl

COUNT = "methods.fresh_human.fresh_count"


def finished(tmp_path: Path, *overrides: str) -> tuple[CellPlan, Record, list[str]]:
    """A computed cell, its record, and the ids of its fresh problems."""
    cfg = tiny("k=2", "temperature=1.5", f"store.root={tmp_path}/store", *overrides)
    record = Record.from_json(read_json(compute(cfg, study=tmp_path / "study") / "record.json"))
    cell = plan(cfg, resolve(cfg))
    trainset = cell.read.trained.trainset
    assert trainset is not None
    rows = read_jsonl(Store(tmp_path / "store").folder(trainset.kind, trainset.key) / "examples.jsonl")
    return cell, record, [row["id"] for row in rows if row["source"] == "fresh"]


def test_any_amount_is_added_at_the_steps_of_rft(tmp_path: Path) -> None:
    rft = finished(tmp_path, "method=rft")[1]
    found = {n: finished(tmp_path, "method=fresh_human", f"{COUNT}={n}") for n in (1, 3, 9)}
    for count, (cell, record, fresh) in found.items():
        assert len(fresh) == len(set(fresh)) == count
        assert record.data["num_augmented"] == count
        assert record.data["num_optimizer_steps"] == rft.data["num_optimizer_steps"]
        assert cell.setting[COUNT] == count
    assert found[9][2][:3] == found[3][2]
    assert found[3][2][:1] == found[1][2]


def test_null_is_as_many_as_kept_paths_under_the_key_of_before(tmp_path: Path) -> None:
    cell, record, fresh = finished(tmp_path, "method=fresh_human")
    kept = finished(tmp_path, "method=rft")[1].data["num_augmented"]
    assert len(fresh) == record.data["num_augmented"] == kept
    trainset = cell.read.trained.trainset
    assert trainset is not None
    assert "count" not in trainset.identity()


def test_more_than_the_pool_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises((ValueError, RuntimeError), match="fresh_count"):
        finished(tmp_path, "method=fresh_human", f"{COUNT}=100000")
