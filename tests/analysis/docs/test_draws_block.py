"""The block of draws, beside means and deviations worked out from the records by hand."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.docs.blocks.draws import draws
from analysis.docs.registry import Reference
from rft.cli.archive import archive
from rft.records import read_json

SEEDS = (11, 12, 13, 14)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bases, of which nano-m lacks a draw; two replicates in each draw."""
    shape = grid(models=("nano-s", "nano-m"), fracs=(0.5, 1.0), methods=("sft",), seeds=(0, 1), draws=SEEDS)
    specs = [spec for spec in shape if (spec["model"], spec["pretrain_seed"]) != ("nano-m", 12)]
    return write_study(tmp_path_factory.mktemp("draws") / "live", specs=specs, truth=Truth(draw_sd=5.0))


def by_hand(study: Path, *, model: str, frac: float) -> dict[int, float]:
    """Mean accuracy in percent by pretraining seed."""
    records = [read_json(path) for path in study.glob("*/record.json")]
    found: dict[int, list[float]] = {}
    for record in records:
        if record["names"]["model"] == model and record["setting"]["data_frac"] == frac:
            found.setdefault(record["seeds"]["pretrain_seed"], []).append(100 * record["scores"]["maj1@1"]["value"])
    return {seed: statistics.mean(values) for seed, values in found.items()}


def test_each_draw_their_mean_and_deviation(study: Path):
    archive(study, to=study.parent / "archived")
    text = draws(Reference(study.parent / "archived"), ["sft"])
    rows = [[part.strip() for part in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert rows[0][2:6] == [str(seed) for seed in SEEDS]
    for model, label, frac in (("nano-s", "SFT 1/2, %", 0.5), ("nano-s", "SFT, %", 1.0), ("nano-m", "SFT, %", 1.0)):
        (row,) = [row for row in rows if row[:2] == [model, label]]
        wanted = by_hand(study, model=model, frac=frac)
        assert row[2:6] == [f"{wanted[seed]:.1f}" if seed in wanted else "" for seed in SEEDS]
        assert row[6] == f"{statistics.mean(wanted.values()):.1f}"
        assert row[7].split()[0] == f"{statistics.stdev(wanted.values()):.1f}"
    errors = re.search(r"error of one accuracy, ([\d.]+)", text)
    assert errors is not None
    assert 1.0 < float(errors[1]) < 2.6  # binomial of 400 problems


def test_a_method_without_draws_is_refused(study: Path):
    archive(study, to=study.parent / "again")
    with pytest.raises(ValueError, match="no setting of 'rft' with two draws"):
        draws(Reference(study.parent / "again"), ["rft"])
