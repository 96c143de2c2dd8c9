"""Votes that are set side by side were cast in one way; of how many draws they are is said where it differs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from synthetic_study import Truth, seal_cell, write_study

from analysis.claims.run import run_claims, study_view
from analysis.figures.drawing import Drawing
from analysis.figures.votes import emitted_against_k, votes_against_k
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.studies import load_studies
from analysis.tables.grids import paper_tables
from rft.records import RECORD_FILE

USUAL = {"eval.vote_k": 8, "eval.vote_temperature": 0.7}
HOT = {"eval.vote_k": 8, "eval.vote_temperature": 1.4}
DRAWS = range(1, 7)


def spec(draw: int, method: str, k: int | None = None, **votes: Any) -> dict[str, Any]:
    return {
        "model": "nano-s",
        "data_frac": 1.0,
        "method": method,
        "k": k,
        "seed": 100 * draw,
        "pretrain_seed": draw,
        **votes,
    }


def loaded(folder: Path, specs: list[dict[str, Any]]) -> tuple[list[Point], Outcomes, str]:
    """A study of these cells; those without `eval.vote_k` have no scores of votes. Third: the paper's table 6."""
    made = write_study(folder, specs=specs, truth=Truth(num_items=80, draw_sd=3.0, rft_at_1=3.0), vote_k=8)
    for place, one in enumerate(specs):
        if "eval.vote_k" not in one:
            path = made / str(place) / RECORD_FILE
            record = json.loads(path.read_text())
            record["scores"] = {"maj1@1": record["scores"]["maj1@1"]}
            path.write_text(json.dumps(record))
            seal_cell(path.parent)
    table, outcomes = verified(load_studies([made]))
    assert len(table.cells) == len(specs)
    return make_points(table.cells, outcomes), outcomes, paper_tables(table, outcomes)["table6"].markdown()


def rows(table: str, words: str) -> list[str]:
    return [line for line in table.splitlines() if words in line]


def both(points: Iterable[Point], outcomes: Outcomes) -> tuple[object, object]:
    every = list(points)
    return votes_against_k(every, outcomes), emitted_against_k(every, outcomes)


def test_votes_at_two_temperatures_are_not_side_by_side(tmp_path: Path) -> None:
    specs = [spec(d, m, k, **USUAL) for d in DRAWS for m, k in (("sft", None), ("sft_matched", 4))]
    points, outcomes, table = loaded(tmp_path / "s", [*specs, *(spec(d, "rft", 4, **HOT) for d in DRAWS)])
    for drawing in both(points, outcomes):
        assert isinstance(drawing, Drawing)
        assert len(drawing.fits) == 2
        assert (
            "Votes of another kind are left out: nano-s, RFT k=4 (vote_k 8, vote_temperature 1.4)." in drawing.caption
        )
    assert rows(table, "SFT")
    assert not rows(table, "RFT k=4")
    claims = {one.claim: one for one in run_claims(study_view(points, outcomes))}
    assert not [line for line in claims["6a"].details if "emitted" in line]


def test_votes_of_one_draw_do_not_stand_for_a_ladder_voted_in_six(tmp_path: Path) -> None:
    specs = [spec(d, m, k, **USUAL) for d in DRAWS for m, k in (("sft", None), ("rft", 4))]
    specs += [spec(d, "rft", 16, **(USUAL if d == 1 else {})) for d in DRAWS]
    points, outcomes, table = loaded(tmp_path / "s", specs)
    for drawing in both(points, outcomes):
        assert isinstance(drawing, Drawing)
        assert {fit["series"] for fit in drawing.fits} == {p.cell.cell_id for p in points if p.cell.k != 16}
    (one,) = rows(table, "k=16")
    assert "(1 draw)" in one
    assert "(6 draws)" in rows(table, "k=4")[0]


def test_settings_that_voted_in_part_of_their_draws_are_shown_with_these(tmp_path: Path) -> None:
    """They had no row where their first draw had no votes."""
    specs = [spec(d, "rft", 4, **USUAL) for d in DRAWS] + [spec(d, "sft", **(USUAL if d == 2 else {})) for d in DRAWS]
    points, outcomes, table = loaded(tmp_path / "s", specs)
    (own,) = (line for line in rows(table, "SFT") if "RFT" not in line)
    assert "(1 draw)" in own
    votes, emitted = both(points, outcomes)
    for drawing in (votes, emitted):
        assert isinstance(drawing, Drawing)
        assert "Unlike draws: " in drawing.caption
        assert "nano-s, SFT of 1 draw" in drawing.caption
