"""The W&B workspace reads metrics that mirrored runs have, and its specification is built without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic_study import Truth, make_record

from analysis.wandb_workspace import CURVES, main, metrics_used
from rft.infra.live_metrics import Solutions, Training
from rft.infra.mirror_results import summary_metrics
from rft.records import Score

ROOT = Path(__file__).resolve().parents[2]


def test_every_metric_is_in_a_mirrored_summary() -> None:
    spec = {"model": "nano-m", "method": "rft", "data_frac": 1.0, "k": 4, "seed": 0}
    record = make_record(spec, cell_id="c", score=Score.binomial(4, 10), truth=Truth())
    assert metrics_used() <= set(summary_metrics(record))


def test_every_curve_is_of_points_that_stages_give() -> None:
    step = {"time": 1.0, "step": 1, "loss_nats": 2.0, "lr": 0.1}
    drawn = [
        {"time": t, "done": t, "total": 9, "tokens": 5 * t, "graded": t, "correct": 1, "truncated": 0} for t in (1, 2)
    ]
    given = set(Training().metrics("a", step) or {})
    pool = Solutions("sample")
    given |= {name for row in drawn for name in pool.metrics("a", row) or {}}
    assert {name for x, ys in CURVES.values() for name in (x, *ys)} <= given


def test_the_specification_is_built_offline() -> None:
    closed = {"WANDB_MODE": "offline", "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "analysis.wandb_workspace", "team/project", "--dry-run"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **closed}, capture_output=True, text=True, check=True)
    view = json.loads(done.stdout)
    assert (view["entity"], view["project"]) == ("team", "project")
    sections = {s["name"]: s for s in view["spec"]["section"]["panelBankConfig"]["sections"]}
    assert set(sections) == {"Accuracy", "Cost", "Training", "Sampling", "Sampled solutions"}
    axes = {(p["config"]["xAxis"], p["config"]["yAxis"]) for p in sections["Accuracy"]["panels"]}
    assert ("summary:data/num_human", "summary:eval/maj1@1") in axes
    assert ("summary:model/pretrain_loss_nats", "summary:eval/maj1@1") in axes
    assert ("config:k.value", "summary:eval/maj1@1") in axes
    assert "samples" in json.dumps(sections["Sampled solutions"])
    runs = json.dumps(view["spec"]["section"]["runSets"])
    assert all(
        f'"{job_type}"' in runs for job_type in ("cell", "pretrain", "finetune", "sample")
    )  # who logs what is drawn


READ_BACK = """
import json, warnings
warnings.simplefilter("ignore")
from wandb_workspaces.workspaces import Workspace, internal
from analysis.wandb_workspace import specification, workspace
made = workspace("team", "project")
model = made._to_model()
sent = json.loads(specification(made))["spec"]
model.spec = internal.WorkspaceViewspec.model_validate(sent)
again = Workspace._from_model(model)
kinds = [[(type(p).__name__, getattr(p, "title", "")) for p in section.panels] for section in again.sections]
print(json.dumps([kinds, str(again.runset_settings.filters) == str(made.runset_settings.filters)]))
"""


def test_what_is_sent_reads_back_as_the_packages_own_model() -> None:
    """No server on loopback shows workspaces: the package's model of them is what there is to hold it to."""
    out = subprocess.check_output([sys.executable, "-c", READ_BACK], cwd=ROOT, text=True)
    kinds, has_its_filter = json.loads(out)
    drawn = [kind for section in kinds for kind, _ in section]
    assert drawn == ["ScatterPlot"] * 7 + ["LinePlot"] * 4 + ["WeavePanelSummaryTable"]
    assert len({title for section in kinds for _, title in section}) == len(drawn)
    assert has_its_filter


def test_a_bad_target_says_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["project-alone"])
    assert "ENTITY/PROJECT" in capsys.readouterr().err
