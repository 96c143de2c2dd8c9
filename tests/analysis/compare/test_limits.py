"""What a larger study could be: an imported model in it takes no draws from the bases that are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.run import run_claims, study_view
from analysis.load.cells import BASE_SEED
from analysis.load.checks import verified
from analysis.load.points import make_points
from analysis.load.studies import load_studies
from analysis.tables.matched import compared
from rft.records import RECORD_FILE, read_json, write_json

FLAT = Truth(rft_at_1=1.2, rft_per_k=0.0, gain_sd=2.0)


def reasons(folder: Path, specs: list[dict[str, Any]]) -> tuple[dict[str, str], str]:
    """(reason by claim, what the first row of the gains table needs), the model nano-l being an imported one."""
    study = write_study(folder, specs=specs, truth=FLAT, rng_seed=5)
    for path in study.glob(f"*/{RECORD_FILE}"):
        record = read_json(path)
        if record["model"]["name"] == "nano-l":
            record["seeds"].pop(BASE_SEED, None)
            write_json(path, record)
    table, outcomes = verified(load_studies([study]))
    points = make_points(table.cells, outcomes)
    found = {result.claim: result.reason for result in run_claims(study_view(points, outcomes))}
    return found, compared(points, outcomes)[0].result.needed_text


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_an_imported_model_takes_no_draws_from_made_bases(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    """With SFT of an imported model beside six draws of nano-s, claims 4a and 4b said 'no other draw'."""
    methods = ("sft", "rft", "sft_matched")
    made = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=methods, draws=range(1, 7))
    given = grid(models=("nano-l",), fracs=(1.0,), methods=("sft",), seeds=seeds)
    alone, row = reasons(tmp_path / "alone", made)
    beside, same_row = reasons(tmp_path / "beside", made + given)
    assert alone["4a"].endswith(f"to separate: {row}")
    assert row == same_row
    for claim in ("4a", "4b"):
        assert "to separate: " in alone[claim]
        assert beside[claim] == alone[claim]
