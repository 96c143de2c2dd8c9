"""The W&B workspace reads metrics that mirrored runs have, and its specification is built without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic_study import Truth, make_record

from analysis.wandb_workspace import STAGE_RUNS, main, metrics_used
from rft.execute.mirror import summary_metrics
from rft.records import Score
from rft.stages.finetune import Finetune
from rft.stages.pretrain import Pretrain

ROOT = Path(__file__).resolve().parents[2]


def test_every_metric_is_in_a_mirrored_summary() -> None:
    spec = {"model": "nano-m", "method": "rft", "data_frac": 1.0, "k": 4, "seed": 0}
    record = make_record(spec, cell_id="c", score=Score.binomial(4, 10), truth=Truth())
    assert metrics_used() <= set(summary_metrics(record))
    trained = {Pretrain.kind, Finetune.kind}  # stages with a curve are mirrored
    assert {f"stage-{kind}" for kind in trained} == set(STAGE_RUNS)


def test_the_specification_is_built_offline() -> None:
    closed = {"WANDB_MODE": "offline", "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "analysis.wandb_workspace", "team/project", "--dry-run"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **closed}, capture_output=True, text=True, check=True)
    view = json.loads(done.stdout)
    assert (view["entity"], view["project"]) == ("team", "project")
    sections = {s["name"]: s for s in view["spec"]["section"]["panelBankConfig"]["sections"]}
    assert set(sections) == {"Accuracy", "Cost", "Training curves", "Sampled solutions"}
    axes = {(p["config"]["xAxis"], p["config"]["yAxis"]) for p in sections["Accuracy"]["panels"]}
    assert ("summary:data/num_human", "summary:maj1@1") in axes
    assert ("summary:model/pretrain_loss_nats", "summary:maj1@1") in axes
    assert ("config:cell.value.k", "summary:maj1@1") in axes
    assert "samples" in json.dumps(sections["Sampled solutions"])
    assert "NIN" in json.dumps(view["spec"]["section"]["runSets"])


def test_a_bad_target_says_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["project-alone"])
    assert "ENTITY/PROJECT" in capsys.readouterr().err
