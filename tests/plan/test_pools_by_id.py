"""Pools that call questions by the data file's own ids, in a plan: what they change, and what they leave alone."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from byte_model import overrides
from composing import composed

from rft.execute.stages import execute
from rft.infra.store import Store
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.plan.told import told
from rft.records import read_jsonl
from rft.stages.own_ids import OwnIds

KEPT = {"imported_samples", "select", "kept_set", "finetune", "evaluate"}  # what an import changes


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Training rows with an id in a column `uid`, and one in `idx`."""
    overrides(tmp_path)
    path = tmp_path / "data" / "train.jsonl"
    rows = list(read_jsonl(path))
    path.write_text("".join(json.dumps({**row, "uid": f"q{n}", "idx": n}) + "\n" for n, row in enumerate(rows)))
    return path


def planned(data: Path, rows: list[dict[str, Any]], *more: str) -> CellPlan:
    path = pool(data, rows)
    given = overrides_of(data.parent.parent)
    cfg = composed(*given, "method=rft", "k=2", "union=[theirs]", f"+pools.theirs.path={path}", *more)
    return plan(cfg, resolve(cfg))


def pool(data: Path, rows: list[dict[str, Any]]) -> Path:
    """A file of its own, named by what it holds."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path = data.parent.parent / f"pool{zlib.crc32(text.encode())}.jsonl"
    path.write_text(text)
    return path


def overrides_of(folder: Path) -> list[str]:
    """Those of the byte model, its data files as they are now."""
    train = (folder / "data" / "train.jsonl").read_text()
    given = overrides(folder)
    (folder / "data" / "train.jsonl").write_text(train)
    return list(given)


def drawn(data: Path, *keys: str) -> list[dict[str, Any]]:
    return [{**{key: row[key] for key in keys}, "samples": [row["answer"]] * 2} for row in read_jsonl(data)]


def new_kinds(before: CellPlan, after: CellPlan) -> set[str]:
    known = {stage.key for stage in before.stages}
    return {stage.kind for stage in after.stages if stage.key not in known}


def samples(cell: CellPlan, store: Store) -> list[dict[str, Any]]:
    wanted = [stage for stage in cell.stages if stage.kind in ("file_problems", "part", "own_ids", "imported_samples")]
    execute(wanted, store=store, runtime=composed().runtime)
    (stage,) = (one for one in cell.stages if one.kind == "imported_samples")
    return list(read_jsonl(store.folder(stage.kind, stage.key) / "samples.jsonl.gz"))


def test_a_pool_by_id_is_the_pool_by_question(data: Path, tmp_path: Path):
    store = Store(tmp_path / "store")
    by_words = samples(planned(data, drawn(data, "question")), store)
    named = planned(data, drawn(data, "uid"), "data.adapter.id=uid")
    obvious = planned(data, [{"id": n, "samples": row["samples"]} for n, row in enumerate(drawn(data, "uid"))])
    assert len(by_words) > 2
    assert samples(named, store) == samples(obvious, store) == by_words
    assert [stage.columns for cell in (named, obvious) for stage in cell.stages if isinstance(stage, OwnIds)] == [
        ("uid",),
        ("idx",),
    ]
    assert named.setting["pools.theirs.own_ids"] == ["uid"]


def test_a_wrong_row_that_is_dropped_hides_neither_its_question_nor_an_id(data: Path, tmp_path: Path):
    """Planning reads the file as the stage does: the row is gone before repeated questions are looked for."""
    store, rows = Store(tmp_path / "store"), list(read_jsonl(data))
    by_words = samples(planned(data, drawn(data, "question")), store)
    pools = drawn(data, "uid")
    for answer in ("#### 3, no\n#### 54", "#### 3, no\n#### 55"):  # the rule reads the first line
        wrong = {**rows[0], "question": rows[0]["question"].replace("?", ""), "answer": answer, "uid": "wrong"}
        data.write_text("".join(json.dumps(row) + "\n" for row in [wrong, *rows]))
        cell = planned(data, pools, "data.adapter.id=uid", "data.on_bad_gold=drop")
        assert samples(cell, store) == by_words


def test_naming_a_column_changes_no_stage_that_does_not_need_it(data: Path):
    for pool in (drawn(data, "question"), drawn(data, "question", "uid"), drawn(data, "question", "idx")):
        before, after = planned(data, pool), planned(data, pool, "data.adapter.id=uid")
        assert new_kinds(before, after) == set()
        assert before.cell_key == after.cell_key
        assert before.setting == after.setting
    sft = [plan(cfg := composed(*overrides_of(data.parent.parent), *more), resolve(cfg)) for more in NO_POOL]
    assert len({cell.cell_key for cell in sft}) == 1
    mixed = [*drawn(data, "question")[1:], *drawn(data, "uid")[:1]]
    assert new_kinds(planned(data, mixed), planned(data, mixed, "data.adapter.id=uid")) == {"own_ids", *KEPT}


NO_POOL = (("method=sft",), ("method=sft", "data.adapter.id=uid"), ("method=sft", "data.adapter.id=idx"))


def test_a_named_column_must_agree_with_the_questions(data: Path):
    """A guessed column must not: `idx` of a pool may count the pool's own rows."""
    rows = drawn(data, "question", "idx")
    crossed = [{**row, "idx": other["idx"]} for row, other in zip(rows, [*rows[1:], rows[0]], strict=True)]
    planned(data, crossed)
    with pytest.raises(ValueError, match=r"pool[0-9]*\.jsonl: line 1 has the id '1', but not that problem's question"):
        planned(data, crossed, "data.adapter.id=idx")


def test_where_a_pool_needs_ids_the_plan_says_by_which_it_is_joined(data: Path):
    cfg = composed(
        *overrides_of(data.parent.parent), "method=rft", "union=[theirs]",
        f"+pools.theirs.path={pool(data, drawn(data, 'uid'))}", "data.adapter.id=uid",
    )  # fmt: skip
    assert any(line.endswith("joined by 'uid' of the training rows") for line in told(cfg, resolve(cfg)))


@pytest.mark.parametrize(
    ("change", "override", "message"),
    [
        ({"idx": "id"}, "data.adapter.id=nowhere", r"data\.adapter\.id=nowhere: .*line 1 lacks 'nowhere'"),
        ({}, 'data.adapter.id="uid["', r"data\.adapter\.id: 'uid\[' is no path"),
        ({"uid": "doc_id"}, "k=2", r"has idx and doc_id: name one with data\.adapter\.id"),
        ({"idx": "n"}, "k=2", r"has no column of ids \(id, ID, idx, .*\): name one with data\.adapter\.id"),
    ],
)
def test_what_would_join_is_said(data: Path, tmp_path: Path, change: dict[str, str], override: str, message: str):
    """An unnamed column is found out when the import runs, where there was nothing to join by."""
    rows = [{change.get(key, key): value for key, value in row.items()} for row in read_jsonl(data)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    foreign = [{"id": "q1", "samples": ["a"]}]
    with pytest.raises((ValueError, RuntimeError), match=message):
        samples(planned(data, foreign, override), Store(tmp_path / "store"))


def test_a_guessed_column_with_one_id_for_two_questions_is_not_used(data: Path, tmp_path: Path):
    rows = [{**row, "idx": 0} for row in read_jsonl(data)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    cell = planned(data, [{"id": 0, "samples": ["a"]}])
    assert not [stage for stage in cell.stages if isinstance(stage, OwnIds)]
    with pytest.raises((ValueError, RuntimeError), match="line 2 has the id '0', which line 1 has too"):
        samples(cell, Store(tmp_path / "store"))


def test_of_the_hub_a_column_must_be_named(data: Path):
    """Planning reads no network, so that nothing there can be called as an id is."""
    hub = ("data.train_path=hub:me/mine", "data.train_limit=12", "dry_run=true")
    named, unnamed = (planned(data, drawn(data, "uid"), *hub, *more) for more in (("data.adapter.id=uid",), ()))
    assert [stage.columns for stage in named.stages if isinstance(stage, OwnIds)] == [("uid",)]
    assert not [stage for stage in unnamed.stages if isinstance(stage, OwnIds)]
    by_words = [planned(data, drawn(data, "question"), *hub, *more) for more in (("data.adapter.id=uid",), ())]
    assert new_kinds(*by_words) == set()


def test_several_training_files_have_their_columns_each(data: Path, tmp_path: Path):
    rows = list(read_jsonl(data))
    half = len(rows) // 2
    paths = []
    for name, part, column in (("a", rows[:half], "uid"), ("b", rows[half:], "number")):
        paths.append(f"{{path: {tmp_path}/{name}.jsonl, adapter: {{id: {column}}}}}")
        lines = [{"question": row["question"], "answer": row["answer"], column: row["uid"]} for row in part]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    mix = (f"data.train_mix=[{', '.join(paths)}]", "data.train_path=null")
    cell = planned(data, drawn(data, "uid"), *mix)
    (ids,) = (stage for stage in cell.stages if isinstance(stage, OwnIds))
    assert (ids.columns, len(ids.files)) == (("uid", "number"), 2)
    store = Store(tmp_path / "store")
    execute([stage for stage in cell.stages if stage.kind in JOIN], store=store, runtime=composed().runtime)
    (stage,) = (one for one in cell.stages if one.kind == "imported_samples")
    found = list(read_jsonl(store.folder(stage.kind, stage.key) / "samples.jsonl.gz"))
    assert len(found) == 2 * len(rows)


JOIN = ("file_problems", "mixture", "part", "own_ids", "imported_samples")
