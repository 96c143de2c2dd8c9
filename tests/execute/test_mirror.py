"""What is shown of a cell in W&B: its own training curve, never that of a stage it only rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from composing import compute, tiny

from rft.execute import mirror
from rft.execute.cell import plan_cell


def shown(monkeypatch: pytest.MonkeyPatch, folder: Path, method: str) -> dict[str, list[dict[str, Any]]]:
    """Curves of the runs that one cell gives, by the run's job type."""
    runs: dict[str, list[dict[str, Any]]] = {}

    class Kept:
        def run(self, *, job_type: str, history: list[dict[str, Any]], **_: Any) -> str:
            runs[job_type] = history
            return "sent"

    monkeypatch.setattr(mirror, "_mirror", lambda settings: Kept())
    compute(tiny(f"method={method}", "tracking.mode=offline", f"store.root={folder}/store"), study=folder / method)
    return runs


def test_a_cell_that_trains_nothing_has_no_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert shown(monkeypatch, tmp_path, "icl") == {"icl": []}


def test_a_trained_cell_shows_its_own_curve_once_and_its_base_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    runs = shown(monkeypatch, tmp_path, "sft")
    assert set(runs) == {"sft", "stage-pretrain"}
    model = plan_cell(tiny("method=sft", f"store.root={tmp_path}/store")).plan.read.trained.weights
    (curve,) = tmp_path.glob(f"store/finetune/*/{model.key}/curve.jsonl")
    assert len(runs["sft"]) == len(curve.read_text().splitlines())
