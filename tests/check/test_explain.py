"""`rft explain`: a cell back to its stages, and why a stage would run again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rft import cli
from rft.archive.files import json_at, record_paths
from rft.check.explain import explain, explain_other, explain_overrides, find_cell
from rft.check.why import StageView, changes
from rft.execute.cell import plan_cell
from rft.infra.store import Store
from rft.plan.composing import composed, overrides_of
from rft.plan.typed import to_study_config
from rft.records import Record

QUICKSTART, REAL_STUDY = (Path("multirun_outputs/reference") / name for name in ("quickstart", "real-study"))


def test_a_cell_is_explained_down_to_machine_and_code(made: Path):
    record = find_cell(made / "study", "nano-xs_rft")
    text = explain(record, store=Store(made / ".store"))
    rows = {row["key"][:8]: row for row in record.stages}
    for key, row in rows.items():
        assert f"  {row['name']} {key} [1]" in text
    assert text.count("(as today)") == len(rows)
    origin = record.provenance["origins"][0]
    assert origin["cpu"] in text
    assert f"torch {origin['versions']['torch']}" in text
    assert origin["commit"][:12] in text
    old = next(Record.from_json(json_at(path)) for path in record_paths(REAL_STUDY))
    assert "code unknown" in explain(old, store=None), "from before it was kept"


def test_a_changed_rate_is_named_where_it_enters_and_followed_to_all_that_rests_on_it(made: Path):
    record = find_cell(made / "study", "nano-xs_rft")
    lines = explain_overrides(record, ["train.lr=2e-3"], store=Store(made / ".store")).splitlines()
    assert "  train.lr 0.001 -> 0.002" in lines
    again = [line.split(" (would run): ") for line in lines if "(would run)" in line]
    reasons = {name.split()[0]: why for name, why in again}
    assert all("recipe.lr 0.001 -> 0.002" in why for name, why in again if name.startswith("  finetune"))
    assert reasons["evaluate"].startswith("weights: finetune ")
    assert {"pretrain", "corpus", "human_set", "loss", "world_problems"}.isdisjoint(reasons)


def test_another_cell_is_set_beside_it(made: Path):
    store = Store(made / ".store")
    text = explain_other(
        find_cell(made / "study", "nano-xs_sft"), find_cell(made / "study", "nano-xs_rft"), store=store
    )
    assert '  method "sft" -> "rft"' in text
    assert "  train_seed 1 -> 0" in text
    assert "seed 1 -> 0" in next(line for line in text.splitlines() if line.startswith("  finetune"))


def test_the_configuration_of_every_committed_cell_plans_that_cell_again():
    records = [Record.from_json(json_at(path)) for path in record_paths(QUICKSTART)]
    planned = {one.cell_id: plan_cell(to_study_config(composed(overrides_of(one)))).plan.cell_key for one in records}
    assert [one.cell_id for one in records if planned[one.cell_id] != one.cell_key] == []
    older = replace(records[0], cell_key="0" * 32)
    assert "today's code plans another cell" in explain_overrides(older, ["seed=2"], store=None)


def test_stages_pair_with_what_they_stand_for():
    """Two trainings of one recipe: the second is told by its training set, though that is another too."""

    def view(kind: str, key: str, **fields: object) -> StageView:
        return StageView(kind, key, 1, fields)

    one = view("set", "s1", n=1)
    before = [one, view("set", "s2", n=2), view("train", "t1", set="s1", lr=1), view("train", "t2", set="s2", lr=1)]
    after = [one, view("set", "s3", n=3), view("train", "t3", set="s1", lr=2), view("train", "t4", set="s3", lr=2)]
    found = {one.key: one for one in changes(before, after)}
    assert found["s3"].own == ("n 2 -> 3",)
    assert (found["t3"].before, found["t3"].own, found["t3"].inputs) == ("t1", ("lr 1 -> 2",), ())
    assert (found["t4"].before, found["t4"].inputs) == ("t2", ("set: set s2 -> s3",))
    raised = changes(before[:1], [StageView("set", "s4", 2, {"n": 1})])
    assert raised[0].why == "version 1 -> 2"


def test_what_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]):
    for words, message in (
        ([str(QUICKSTART), "nano-s_sft"], "several cells 'nano-s_sft'; it could be"),
        ([str(QUICKSTART), "nano-s_stf_f1_s0-1cc7ee39"], "did you mean nano-s_sft_f1_s0-1cc7ee39?"),
        ([str(QUICKSTART), "nano-s_icl", "--", "train.lrr=1"], "train.lrr"),
    ):
        assert cli.call(["explain", *words]) == 2
        assert message in capsys.readouterr().err
