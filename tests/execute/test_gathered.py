"""A dry run of a sweep is one plan, whichever launcher ran its jobs, and says what each cell adds."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import forked
import pytest
from composing import tiny

from rft import api
from rft.execute.ahead import plan_ahead
from rft.execute.cell import plan_cell, run_cell
from rft.execute.gathered import gathered_text, keep_plan

SWEEP = ["model=nano-xs,nano-s", "data_frac=0.5,1", "method=sft", "dry_run=true"]


def dry_run(folder: Path, launcher: str) -> str:
    done = forked.run("-m", "rft.run", "-m", f"hydra/launcher={launcher}", *SWEEP, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_launchers_show_one_and_the_same_plan(tmp_path: Path) -> None:
    plans = []
    for launcher in ("basic", "dag_local"):
        text = dry_run(tmp_path, launcher)
        assert len(re.findall(r"^cells: 4 of 4 jobs$", text, re.MULTILINE)) == 1
        assert text.count("missing: ") == 1
        plans.append(re.findall(r"^  nano-\S+: adds .*|^\w+ +\d+ +\d+ .*", text, re.MULTILINE))
    assert plans[0] == plans[1]
    assert list(tmp_path.iterdir()) == []


def test_what_a_plan_is_asked_to_say_is_said_by_every_way_of_running(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """One cell, the jobs of a stock launcher and a sweep of this project's own: costs beside the paper's and memory."""
    own = (f"store.root={tmp_path / 'store'}", "dry_run=true", "plan.compare=table4", "plan.gpu_gb=80")
    one = plan_cell(tiny("method=sft", *own))
    keep_plan(one, folder=tmp_path)
    ahead = plan_ahead([one.cfg])
    assert ahead is not None
    with caplog.at_level(logging.INFO, logger="rft"):
        run_cell(one, study_folder=tmp_path / "s")
    for told in (caplog.text, gathered_text(tmp_path) or "", ahead.text(), api.plan(*own).text):
        assert "cells: 1 of 1 jobs" in told
        assert "Table 4" in told
        assert "fits" in told


def test_what_cells_add_sums_to_the_plan(tmp_path: Path) -> None:
    for override in ("method=sft", "method=rft", "method=sft"):
        keep_plan(plan_cell(tiny(override, f"store.root={tmp_path / 'store'}")), folder=tmp_path)
    text = gathered_text(tmp_path)
    assert text is not None
    assert "cells: 2 of 3 jobs" in text
    added = sum(int(number) for number in re.findall(r": adds (\d+) stage", text))
    assert f"missing: {added} stages" in text


def test_no_plan_is_no_text(tmp_path: Path) -> None:
    assert gathered_text(tmp_path) is None
