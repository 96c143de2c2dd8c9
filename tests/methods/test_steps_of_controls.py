"""Controls at RFT's optimiser steps, where examples are left out, a share is taken, or a problem has several solutions.

A batch of one and one epoch: an optimiser step is an example, so that steps are counted by hand.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from byte_model import overrides
from composing import composed, compute, tiny

from analysis.compare.exchange import human_problems, new_paths
from rft import api
from rft.check.cell import cell_findings
from rft.check.finding import Verdict
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.records import Record, read_json
from rft.stages.problems import WorldProblems
from rft.text.world import WorldSplit, alternative_paths, world_problems

NUM_PROBLEMS, NUM_FRESH = 6, 3
DROP = "data.on_too_long=drop"
COUNT = f"methods.fresh_human.fresh_count={NUM_FRESH}"
CUT = 75  # tokens
LONG = "It is simple. " * 20


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def keys(tmp_path: Path) -> list[str]:
    """12 problems, 6 of them trained on, and to each two correct paths that differ from its own."""
    found = overrides(tmp_path)
    pool = []
    for row in rows_of(tmp_path):
        total = row["answer"].rpartition(" ")[2]
        texts = (f"<<{total}{more}={total}>>{total}\n#### {total}" for more in ("-0", "*1"))
        pool += [{"question": row["question"], "text": text, "draw": draw} for draw, text in enumerate(texts)]
    write_rows(tmp_path / "pool.jsonl", pool)
    return [
        *found, "union=[theirs]", f"+pools.theirs.path={tmp_path}/pool.jsonl", "k=2", f"data.num_train={NUM_PROBLEMS}",
        "train.batch_size=1", "train.max_tokens=250",
    ]  # fmt: skip


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "data" / "train.jsonl").read_text().splitlines()]


def lengthen(folder: Path, *, every: int) -> None:
    """Every so many-th human solution becomes too long to train on."""
    rows = rows_of(folder)
    for row in rows[::every]:
        row["answer"] = LONG + row["answer"]
    write_rows(folder / "data" / "train.jsonl", rows)


def data_of(keys: list[str], *more: str, study: Path) -> dict[str, Any]:
    return Record.from_json(read_json(compute(composed(*keys, *more), study=study) / "record.json")).data


def planned(keys: list[str], *more: str) -> CellPlan:
    cfg = composed(*keys, *more)
    return plan(cfg, resolve(cfg))


@pytest.mark.parametrize("count", [COUNT, "methods.fresh_human.fresh_count=null"])
def test_fresh_problems_take_the_steps_of_what_rft_trains_on(tmp_path: Path, keys: list[str], count: str) -> None:
    lengthen(tmp_path, every=2)
    data = {name: data_of(keys, f"method={name}", DROP, *more, study=tmp_path / "s") for name, more in (
        ("rft", ("k=1",)), ("fresh_human", ("k=1", count)), ("sft_matched", ("k=1",)))}  # fmt: skip
    assert data["rft"]["num_too_long"] > 0
    assert data["rft"]["num_optimizer_steps"] == data["rft"]["num_examples"] < 2 * NUM_PROBLEMS
    assert {one["num_optimizer_steps"] for one in data.values()} == {data["rft"]["num_optimizer_steps"]}


@pytest.mark.parametrize("frac", ["1.0", "0.5"])
def test_true_paths_take_the_steps_of_what_rft_trains_on(tmp_path: Path, frac: str) -> None:
    """Every path of the pool says its steps twice, so that more of them are too long than of the true ones."""
    more = [
        DROP,
        "train.batch_size=1",
        "train.epochs=1",
        "k=1",
        f"train.examples_frac={frac}",
        f"train.max_tokens={CUT}",
    ]
    more += ["union=[theirs]", f"+pools.theirs.path={tmp_path}/pool.jsonl"]
    cfg = tiny("method=sft")
    trainset = plan(cfg, resolve(cfg)).read.trained.trainset
    assert trainset is not None
    source = trainset.subset.source
    assert isinstance(source, WorldProblems)
    problems = world_problems(source.world, split=WorldSplit.POOL, count=source.count)
    paths = {p.question: (alternative_paths(p) or [p.solution])[0] for p in problems}
    texts = {question: f"{path.partition('####')[0]}{path}" for question, path in paths.items()}
    write_rows(tmp_path / "pool.jsonl", [{"question": q, "text": text, "draw": 0} for q, text in texts.items()])
    data = {}
    for method in ("rft", "sft_matched", "oracle_paths"):
        cell = compute(tiny(f"method={method}", *more), study=tmp_path / "s")
        data[method] = Record.from_json(read_json(cell / "record.json")).data
    assert data["rft"]["num_too_long"] > 0
    assert data["oracle_paths"]["num_examples"] != data["rft"]["num_examples"]  # so that its own would be other steps
    assert {one["num_optimizer_steps"] for one in data.values()} == {data["rft"]["num_examples"]}


def test_true_paths_keep_their_key_where_nothing_is_left_out() -> None:
    cfgs = [tiny("method=oracle_paths", *how) for how in ((), (DROP,))]
    kept, cut = (plan(cfg, resolve(cfg)).read.trained.trainset for cfg in cfgs)
    assert kept is not None
    assert cut is not None
    assert "steps_of" not in kept.identity()
    assert "steps_of" in cut.identity()


def test_fresh_problems_take_the_steps_over_all_human_solutions(tmp_path: Path, keys: list[str]) -> None:
    rows = rows_of(tmp_path)
    again = [{**row, "answer": row["answer"].replace(" nails.", " nails, all told.")} for row in rows]
    write_rows(tmp_path / "data" / "train.jsonl", [*rows, *again])
    more = ("data.solutions=all", COUNT)
    rft, fresh = (data_of(keys, f"method={name}", *more, study=tmp_path / "s") for name in ("rft", "fresh_human"))
    by_hand = 2 * NUM_PROBLEMS + 2 * NUM_PROBLEMS  # two human solutions and two kept paths of each
    assert rft["num_optimizer_steps"] == fresh["num_optimizer_steps"] == by_hand
    assert fresh["num_augmented"] == NUM_FRESH


def test_problems_and_new_paths_are_counted_where_a_problem_has_two_solutions(tmp_path: Path, keys: list[str]) -> None:
    """One of the two kept paths of each question has the equation of its second human solution."""
    rows = rows_of(tmp_path)
    again = [{**row, "answer": row["answer"].replace("<<", "nails, <<0+")} for row in rows]
    write_rows(tmp_path / "data" / "train.jsonl", [*rows, *again])
    draws = [json.loads(line) for line in (tmp_path / "pool.jsonl").read_text().splitlines()]
    for draw, row in zip(draws[::2], again, strict=True):
        draw["text"] = row["answer"] + " "
    write_rows(tmp_path / "pool.jsonl", draws)
    methods = ("rft", "sft_matched", "fresh_human")
    for method in methods:
        data_of(keys, f"method={method}", "data.solutions=all", COUNT, study=tmp_path / "s")
    points = {point.method: point for point in api.read(tmp_path / "s").points}
    assert [human_problems(points[name]) for name in methods] == [
        NUM_PROBLEMS,
        NUM_PROBLEMS,
        NUM_PROBLEMS + NUM_FRESH,
    ]
    assert new_paths(points["rft"]) == NUM_PROBLEMS
    (cell,) = points["rft"].cells
    uncounted = dataclasses.replace(cell, num_human_problems=None, human_paths_per_question=None)  # of before
    older = dataclasses.replace(points["rft"], cells=(uncounted,))
    assert (human_problems(older), new_paths(older)) == (None, None)


def test_where_nothing_is_left_out_the_key_is_that_of_before(keys: list[str]) -> None:
    plain, several = (planned(keys, "method=fresh_human", *more) for more in ((COUNT,), ("data.solutions=all",)))
    for cell in (plain, several):
        assert cell.read.trained.trainset is not None
        assert "steps_of" not in cell.read.trained.trainset.identity()


def test_a_share_of_the_control_is_one_share_whether_long_examples_are_dropped_or_refused(
    tmp_path: Path, keys: list[str]
) -> None:
    """Nothing is too long: to drop it must change nothing."""
    more = ("method=sft_matched", "train.examples_frac=0.5")
    refused, dropped = (data_of(keys, *more, *how, study=tmp_path / "s") for how in ((), (DROP,)))
    assert dropped.pop("num_too_long") == 0
    assert dropped["num_examples"] == NUM_PROBLEMS // 2
    assert dropped["num_optimizer_steps"] == (NUM_PROBLEMS + 2 * NUM_PROBLEMS) // 2
    assert dropped == refused


def test_the_plan_expects_as_much_training_whether_long_examples_are_dropped_or_refused(keys: list[str]) -> None:
    for method in ("rft", "sft_matched", "fresh_human"):
        cells = (planned(keys, f"method={method}", "train.examples_frac=0.5", *how) for how in ((), (DROP,)))
        refused, dropped = (cell.read.trained.weights.work.tokens for cell in cells)
        assert dropped == refused > 0


def test_draws_of_a_thinned_union_are_the_unions_alone(tmp_path: Path) -> None:
    """The own pool that says how many paths are left is read to twice as many draws; shards hold four each."""
    words = (
        "union=[nano-s,nano-xs]",
        "model=nano-s",
        "k=3",
        "sampling.draws_per_shard=4",
        f"store.root={tmp_path}/store",
    )
    for method in ("rft", "sft_matched"):
        cell = compute(tiny(*words, f"method={method}", "select.thin=own"), study=tmp_path / method)
        found = Record.from_json(read_json(cell / "record.json"))
        assert found.data["drawn_per_question"] == 6
        own = [cost.used for cost in found.cost if cost.name == "shard" and cost.makes]
        assert set(own) == ({0.75} if method == "rft" else set())
        assert not [one for one in cell_findings(cell, found) if one.verdict is Verdict.DIFFERS]
