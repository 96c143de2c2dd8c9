"""A study is the same whatever ran it: its records, what was computed once, and what W&B shows of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cluster.compared import computations, differences
from cluster.conftest import Engine
from cluster.tiny_sweep import run_tiny
from wandb_offline import OfflineRun, runs_of

from rft.records import RECORD_FILE, read_json

pytestmark = pytest.mark.cluster

CELLS = ("method=sft,rft,sft_matched", "k=2", "temperature=1.5")
OFFLINE = ("tracking.mode=offline", "tracking.finish_s=120")
# What may differ: when, how long, by which process. A point of these keys says how fast it went, not what came out
TIMES = ("_runtime", "_timestamp", "_wandb", "elapsed_s", "tokens_per_s", "remaining_s", "cost/", "runtime")


@pytest.fixture(scope="module")
def both(slurm: Engine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The study on local processes and on SLURM, each with a store of its own."""
    folder = tmp_path_factory.mktemp("same")
    asked = "hydra.launcher.resources={all: {cpus: 1, memory_gb: 2, minutes: 20}}"
    return (
        run_tiny(folder / "local", "dag_local", "hydra.launcher.workers=1", *CELLS, *OFFLINE),
        run_tiny(folder / "slurm", "dag_slurm", asked, *CELLS, *OFFLINE),
    )


def test_records_and_rows_are_equal_cost_and_provenance_aside(both: tuple[Path, Path]):
    found = differences(*both)
    allowed = (f"{RECORD_FILE} cost", f"{RECORD_FILE} provenance", "curve.jsonl.gz elapsed_s", "curve.jsonl elapsed_s")
    assert {key: one.example for key, one in found.items() if not key.startswith(allowed)} == {}


def test_every_stage_is_computed_once(both: tuple[Path, Path]):
    stages = {
        (one["name"], one["key"]) for path in both[0].glob(f"*/{RECORD_FILE}") for one in read_json(path)["stages"]
    }
    assert [computations(study.parent / ".store")[:2] for study in both] == [(len(stages), len(stages))] * 2


def told(values: dict[str, Any]) -> dict[str, Any]:
    """Without what may differ."""
    return {key: value for key, value in values.items() if not any(part in key for part in TIMES)}


def tables_aside(values: dict[str, Any]) -> dict[str, Any]:
    """A table is a file, whose name has its digest."""
    return {key: "a table" if isinstance(value, dict) and "_type" in value else value for key, value in values.items()}


def picture(run: OfflineRun) -> dict[str, Any]:
    keys = {key for point in run.history for key in told(point)}
    shown = {"config": told(run.config), "keys": keys, "last": tables_aside(told(run.summary)), "tags": run.tags}
    return shown | {"id": run.run_id}


def test_wandb_shows_the_same_runs(both: tuple[Path, Path]):
    local, slurm = (runs_of(study) for study in both)
    assert local.keys() == slurm.keys()
    for name, run in local.items():
        assert picture(slurm[name]) == picture(run), name
    assert Counter(job_type for job_type, _ in slurm) == {
        "sweep": 1,
        "pretrain": 1,
        "finetune": 3,
        "sample": 1,
        "cell": 3,
    }
    assert {run.group.partition("-")[0] for run in slurm.values()} == {"s"}
    trainings = [name for name in local if name[0] in ("pretrain", "finetune")]
    for name in trainings:
        losses = [[point["train/loss"] for point in runs[name].history] for runs in (local, slurm)]
        assert losses[0] == losses[1], name  # step by step
