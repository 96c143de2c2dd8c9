"""What a plan says stages will take, from the journal of past ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rft.infra.store import Store
from rft.infra.units import age_text, count_text, duration_text, size_text
from rft.plan.show import Estimator
from rft.stages.stage import Stage, Work

ASSUMED = 1e10  # FLOP/s where nothing was measured


def estimator(folder: Path, rows: list[tuple[str, float, float, float]]) -> Estimator:
    """With a journal of (kind, seconds, tokens, FLOPs)."""
    folder.mkdir(exist_ok=True)
    keys = ("name", "seconds", "tokens", "flops")
    lines = [json.dumps({**dict(zip(keys, row, strict=True)), "key": "ab" * 8, "created": 1.0}) for row in rows]
    (folder / "timings.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return Estimator(Store(folder), flops_per_s=ASSUMED)


def stage(kind: str, *, flops: float = 0.0, tokens: float = 0.0) -> Stage[None]:
    named = type("Named", (Stage,), {"kind": kind, "__module__": "rft.stages"})
    made: Stage[None] = named(work=Work(tokens, flops))
    return made


def test_a_busy_machine_does_not_slow_the_plan(tmp_path: Path) -> None:
    """A third of the past stages ran on an idle machine; the rest took three to ten times as long."""
    rows = [("finetune", 10.0 * slow, 100.0, 1e12) for slow in (1, 1, 1, 3, 3, 5, 5, 10, 10)]
    assert estimator(tmp_path, rows).seconds(stage("finetune", flops=1e12)) == pytest.approx(10.0, rel=0.05)


def test_small_stages_have_a_rate_of_their_own(tmp_path: Path) -> None:
    rows = [("shard", 1.0, 100.0, 1e9)] * 20 + [("shard", 10.0, 100.0, 1e12)] * 20
    found = estimator(tmp_path, rows)
    assert found.seconds(stage("shard", flops=2e9)) == pytest.approx(2.0, rel=0.15)
    assert found.seconds(stage("shard", flops=5e11)) == pytest.approx(5.0, rel=0.1)
    assert found.seconds(stage("shard", flops=3e13)) == pytest.approx(300.0, rel=0.1)  # the largest's, far beyond it
    assert found.seconds(stage("shard", flops=1e17)) == pytest.approx(1e7, rel=0.1)  # too far: what is assumed


def test_work_without_flops(tmp_path: Path) -> None:
    rows = [("corpus", 10.0, 1e6, 0.0), ("vote", 1.5, 0.0, 0.0), ("vote", 1.0, 0.0, 0.0)]
    found = estimator(tmp_path, rows)
    assert found.seconds(stage("corpus", tokens=3e6)) == pytest.approx(30.0, rel=0.05)
    assert found.seconds(stage("vote")) == pytest.approx(1.0, rel=0.5)
    assert found.seconds(stage("select")) < 1.0
    assert found.seconds(stage("evaluate", flops=1e11)) == pytest.approx(10.0, rel=0.05)


def test_times_say_what_they_rest_on(tmp_path: Path) -> None:
    found = estimator(tmp_path, [("finetune", 10.0, 100.0, 1e12)])
    found.seconds(stage("finetune", flops=1e12))
    assert "took in this store" in found.speeds()
    found.seconds(stage("shard", flops=1e12))
    found.seconds(stage("finetune", flops=1e17))  # of a size that nothing here was
    assert "times of finetune, shard: at 1.0e+10 FLOP/s" in found.speeds()


def test_times_that_rest_on_much_smaller_stages_are_called_rough(tmp_path: Path) -> None:
    """Stages of a second are mostly overhead: a tiny corpus says nothing of a large one's speed."""
    found = estimator(tmp_path, [("corpus", 2.0, 8e3, 0.0), ("pretrain", 1.0, 8e3, 1e9)])
    found.seconds(stage("pretrain", flops=9e9))
    assert found.seconds(stage("corpus", tokens=4e4)) == pytest.approx(10.0, rel=0.1)
    assert "took in this store" in found.speeds()
    assert found.seconds(stage("corpus", tokens=2.6e6)) == pytest.approx(20.0, rel=0.1)  # and not eleven minutes
    found.seconds(stage("pretrain", flops=2e11))
    assert found.speeds().startswith("times of corpus, pretrain: rough and rather too long")


def test_numbers_for_people() -> None:
    assert [size_text(n) for n in (12, 1500, 2.5e9)] == ["12 B", "1.5 kB", "2.5 GB"]
    assert [count_text(n) for n in (12, 1500, 3e6)] == ["12", "1.5k", "3.0M"]
    assert [duration_text(s) for s in (8, 300, 9000)] == ["8 s", "5.0 min", "2.5 h"]
    assert [age_text(s) for s in (-1, 8, 300, 300_000)] == ["0 s", "8 s", "5.0 min", "3.5 d"]
