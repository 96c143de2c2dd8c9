"""A loss that explodes stops the training and names what to change; one that is merely bad, or bad once, does not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from rft.core.divergence import PATIENCE, LossWatch, TrainingDivergedError
from rft.infra.resume import ResumePoints
from tests.finetuning import finetuned

torch.set_num_threads(1)


def faults(losses: list[float]) -> list[int]:
    """Steps (0-based) at which the watch has something to say."""
    watch = LossWatch()
    return [i for i, loss in enumerate(losses) if watch.fault(loss) is not None]


def test_what_counts_as_an_explosion() -> None:
    level = [3.0, 2.0, 1.5, *[1.0] * 30]
    assert faults([*level, *[7.0] * PATIENCE]) == [len(level) + PATIENCE - 1]
    assert faults([*level, *[7.0] * (PATIENCE - 1), 1.0, *[7.0] * (PATIENCE - 1)]) == []  # bad batches
    assert faults([*level, *[5.5] * 100]) == []  # knows word frequencies and no more: bad, and a result
    assert faults([*level, math.inf]) == faults([*level, math.nan]) == [len(level)]
    assert faults([1.0 + 0.5 * i for i in range(40)]) != []  # climbs slowly, and away
    assert faults([7.0] * 100) == []


def test_a_rate_far_too_high_stops_with_what_to_change(tmp_path: Path) -> None:
    points = ResumePoints(tmp_path / "resume", name="finetune", key="5f0c4a1e")
    how = {"lr": 300.0, "schedule": "constant", "epochs": 20, "warmup_frac": 0.8}
    with pytest.raises(TrainingDivergedError) as error:
        finetuned(tmp_path / "run", points=points, runtime=("runtime.checkpoint_minutes=1e-6",), **how)
    text = str(error.value)
    assert "stage finetune" in text
    assert "at step " in text
    assert "Lower train.lr" in text
    kept = points.latest()
    assert kept is not None
    assert f"the last good checkpoint is {kept}" in text
    assert not (tmp_path / "run" / "out" / "model.safetensors").exists()
