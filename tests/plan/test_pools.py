"""Pools that were drawn elsewhere in a plan: known by content, one import for all fractions, and what cannot work is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from composing import tiny

from rft.execute.stages import execute
from rft.infra.store import Store
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.stages.problems import Problems

ROW = {"id": "w-1", "text": "a"}


def pool_file(folder: Path, name: str = "pool.jsonl", text: str = "a") -> Path:
    path = folder / name
    path.write_text(json.dumps({**ROW, "text": text}) + "\n")
    return path


def planned(path: Path, *more: str) -> CellPlan:
    cfg = tiny("method=rft", "union=[theirs]", f"+pools.theirs.path={path}", *more)
    return plan(cfg, resolve(cfg))


def keys(cell: CellPlan, kind: str) -> set[str]:
    return {stage.key for stage in cell.stages if stage.kind == kind}


def test_a_pool_is_known_by_content_and_not_by_place(tmp_path: Path):
    here = pool_file(tmp_path)
    there = shutil.copy(here, tmp_path / "moved.jsonl")
    first, moved, other = (planned(path) for path in (here, there, pool_file(tmp_path, "other.jsonl", "b")))
    assert first.cell_key == moved.cell_key
    assert keys(first, "imported_samples").isdisjoint(keys(other, "imported_samples"))
    assert first.cell_key != other.cell_key
    assert planned(here, "+pools.theirs.order_seed=1").cell_key != first.cell_key


def test_one_import_serves_every_fraction_and_k(tmp_path: Path):
    path = pool_file(tmp_path)
    cells = [planned(path, *more) for more in ((), ("data_frac=0.5",), ("k=2",), ("sample_seed=3",))]
    assert len({key for cell in cells for key in keys(cell, "imported_samples")}) == 1
    assert len({cell.cell_key for cell in cells}) == 4


def test_no_model_is_trained_to_draw(tmp_path: Path):
    cell = planned(pool_file(tmp_path))
    assert not keys(cell, "shard")
    assert len(keys(cell, "finetune")) == 1


def test_a_file_that_changed_meanwhile_is_refused(tmp_path: Path):
    path = pool_file(tmp_path)
    cfg = tiny("method=rft", "union=[theirs]", f"+pools.theirs.path={path}", f"store.root={tmp_path}/store")
    cell = plan(cfg, resolve(cfg))
    store = Store(tmp_path / "store")
    source = [stage for stage in cell.stages if isinstance(stage, Problems) and stage.split == "train"]
    execute(source, store=store, runtime=cfg.runtime)
    question = next(iter(source[0].read(store.folder(source[0].kind, source[0].key)).problems())).question
    path.write_text(json.dumps({"question": question, "text": "b"}) + "\n")
    with pytest.raises(RuntimeError, match="has changed since the study was planned"):
        execute([one for one in cell.stages if one.kind == "imported_samples"], store=store, runtime=cfg.runtime)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("+pools.theirs.path=nowhere.jsonl", "union=[theirs]"), r"pools\.theirs\.path=nowhere\.jsonl: no such file"),
        (("+pools.theirs.path=FILE",), r"pools\.theirs is in no union: name it"),
        (
            ("+pools.theirs.file=FILE", "union=[theirs]"),
            r"give \+pools\.theirs\.path=FILE; its keys are path, order_seed",
        ),
        (
            ("+pools.theirs.path=FILE", "+pools.theirs.order_seed=x", "union=[theirs]"),
            r"pools\.theirs: .*could not be conv",
        ),
        (("+pools.nano-xs.path=FILE", "union=[nano-xs]"), "not the name of the cell's model"),
        (
            ("+pools.theirs.path=FILE", "union=[theirs]", "select.choose=likeliest"),
            "ranks paths by the model that drew them",
        ),
        (("+pools.theirs.path=FILE", "union=[theirs]", "k=8", "sampling.allocate=by_difficulty"), "cannot give"),
        (("union=[theirs]",), "union names the unknown model 'theirs'"),
    ],
)
def test_what_cannot_work_is_said(tmp_path: Path, overrides: tuple[str, ...], message: str):
    path = str(pool_file(tmp_path))
    with pytest.raises(ValueError, match=message):
        resolve(tiny("method=rft", *(text.replace("FILE", path) for text in overrides)))
