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

from rft.records import RECORD_FILE, STUDY_FILE, read_json

pytestmark = pytest.mark.cluster

CELLS = ("method=sft,rft,sft_matched", "k=2", "temperature=1.5")
OFFLINE = ("tracking.mode=offline", "tracking.finish_s=120")
# What may differ: when, how long, how fast, how many lines of a sweep that tells of itself every few seconds
TIMES = ("_runtime", "_timestamp", "_step", "_wandb", "elapsed_s", "tokens_per_s", "remaining_s", "cost/")


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
    # stages[].origin is the place of an origin among those of the provenance
    allowed = tuple(f"{RECORD_FILE} {name}" for name in ("cost", "provenance", "stages[].origin"))
    allowed += ("curve.jsonl.gz [].elapsed_s", "curve.jsonl [].elapsed_s")
    assert {key: one.example for key, one in found.items() if not key.startswith(allowed)} == {}


def test_every_stage_is_computed_once(both: tuple[Path, Path]):
    stages = {
        (one["name"], one["key"]) for path in both[0].glob(f"*/{RECORD_FILE}") for one in read_json(path)["stages"]
    }
    assert [computations(study.parent / ".store")[:2] for study in both] == [(len(stages), len(stages))] * 2


def told(values: dict[str, Any]) -> dict[str, Any]:
    """Without what may differ; a table is a file with a digest, of which no more is said than that it is there."""
    tables = {key.partition(".")[0] for key in values if key.endswith("._type")}
    tables |= {key for key, value in values.items() if isinstance(value, dict) and "_type" in value}
    kept = {key: value for key, value in values.items() if not any(part in key for part in TIMES)}
    return {
        root if (root := key.partition(".")[0]) in tables else key: value for key, value in kept.items()
    } | dict.fromkeys(tables, "a table")


def picture(run: OfflineRun) -> dict[str, Any]:
    keys = {key for point in run.history for key in told(point)}
    config = {key: value for key, value in run.config.items() if key != "_wandb"}
    return {"name": run.name, "tags": run.tags, "config": config, "keys": keys, "last": told(run.summary)}


def shown(study: Path) -> dict[tuple[str, str], OfflineRun]:
    """Without evaluations, which have a run where they took longer than a few seconds."""
    return {run_id: run for run_id, run in runs_of(study).items() if run_id[0] != "evaluate"}


def test_wandb_shows_the_same_runs(both: tuple[Path, Path]):
    local, slurm = map(shown, both)
    assert local.keys() == slurm.keys()
    for run_id, run in local.items():
        assert picture(slurm[run_id]) == picture(run)
    assert Counter(job_type for job_type, _ in slurm) == {
        "sweep": 1,
        "pretrain": 1,
        "finetune": 3,
        "sample": 1,
        "cell": 3,
    }
    for study, runs in zip(both, (local, slurm), strict=True):
        assert {run.group for run in runs.values()} == {read_json(study / STUDY_FILE)["group"]}
    for run_id in (one for one in local if one[0] in ("pretrain", "finetune")):
        losses = [[point["train/loss"] for point in runs[run_id].history] for runs in (local, slurm)]
        assert losses[0] == losses[1]  # step by step
