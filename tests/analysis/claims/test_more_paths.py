"""Claim 6a: accuracy and distinct paths of the same draws and replicates, by hand-made cells with known slopes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest

from analysis.claims.rulings import ClaimResult, StudyView
from analysis.claims.run import run_claims
from analysis.load.cells import Cell
from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from rft.records import Score

NOTHING = Outcomes({}, {})
SLOPES = {"a": 5.0, "b": 7.0}  # points per doubling of distinct paths, in every draw
KS = (1, 4, 16)


def rft(base: str, *, k: int, draw: int, replicate: int = 0, paths: float) -> Cell:
    percent = 30 + SLOPES[base] * math.log2(paths) + 0.01 * (draw % 3) * k  # no two draws are quite alike
    seeds = {"pretrain_seed": draw} | dict.fromkeys(("data_seed", "train_seed", "sample_seed"), 100 * draw + replicate)
    setting = {"method": "rft", "data_frac": 1.0, "k": k, "union": [], "select.policy": "paper", "train.epochs": 3.0}
    return Cell(
        study="s", cell_id=f"{base} {k} {seeds}", names={"model": base, "data": "d"}, base=base, draw=f"{base}{draw}",
        setting=setting, scores={"maj1@1": Score(percent / 100, 1000, 0.01)}, seeds=seeds, loss={"a": 2.0, "b": 1.8}[base],
        loss_text="t", distinct_per_question_with_human=paths,
    )  # fmt: skip


def more_paths(cells: Iterable[Cell]) -> ClaimResult:
    view = StudyView(tuple(make_points(cells, NOTHING)), NOTHING, published=False)
    return next(result for result in run_claims(view) if result.claim == "6a")


def slopes_said(result: ClaimResult) -> list[float]:
    return [float(text.rpartition(": ")[2]) for text in result.details if text.startswith("slope of ")]


def lopsided() -> list[Cell]:
    """Six draws, of which the last three find six times the paths and have no k = 16."""
    return [
        rft(base, k=k, draw=draw, paths=(1 + draw / 100) * k**0.4 * (6 if draw > 2 else 1))
        for base in SLOPES
        for draw in range(6)
        for k in KS
        if not (k == 16 and draw > 2)
    ]


def test_draws_without_the_largest_k_do_not_bend_the_slope() -> None:
    """Paths of six draws stood beside accuracies of three: slopes of 5 and 7 came out below 0."""
    result = more_paths(lopsided())
    assert result.estimate is not None
    assert result.estimate.value == pytest.approx(6.0, abs=0.1)
    assert slopes_said(result) == pytest.approx([5.0, 7.0], abs=0.1)


def test_what_no_slope_rests_on_moves_no_slope() -> None:
    """Second replicates of one k, and draws without another, with any accuracy and any number of paths."""
    paired = [
        rft(base, k=k, draw=draw, paths=(1 + draw / 9) * k**0.4) for base in SLOPES for draw in range(5) for k in KS
    ]
    before = more_paths(paired)
    again = [rft("a", k=16, draw=draw, replicate=1, paths=40.0 + draw) for draw in range(5)]
    others = [rft("b", k=k, draw=draw, paths=30.0 * k) for draw in (7, 8) for k in (1, 4)]
    wrong = [replace(c, scores={"maj1@1": Score(0.11, 1000, 0.01)}) for c in (*again, *others)]
    after = more_paths([*paired, *wrong])
    assert before.estimate is not None
    assert after.estimate is not None
    assert after.estimate.value == pytest.approx(before.estimate.value, abs=1e-9)
    assert after.reason == before.reason
    assert slopes_said(after) == slopes_said(before)


def test_the_slopes_of_the_bases_have_the_claims_mean() -> None:
    """They were of all cells, where the claim's own was of the paired ones."""
    extra = [rft("a", k=16, draw=draw, replicate=1, paths=4.0 + draw) for draw in range(6)]
    result = more_paths([*lopsided(), *[replace(c, scores={"maj1@1": Score(0.9, 1000, 0.01)}) for c in extra]])
    said = slopes_said(result)
    assert result.estimate is not None
    assert sum(said) / len(said) == pytest.approx(result.estimate.value, abs=0.01)


def test_a_base_whose_k_share_no_replicate_is_left_out_by_name() -> None:
    apart = [rft("a", k=k, draw=draw, replicate=k, paths=k**0.4) for draw in range(5) for k in KS]
    whole = [rft("b", k=k, draw=draw, paths=k**0.4) for draw in range(5) for k in KS]
    result = more_paths([*apart, *whole])
    assert result.estimate is not None
    assert result.estimate.value == pytest.approx(7.0, abs=0.1)
    assert "a left out: no 3 k on replicates in common" in result.details
    assert not any("left out" in text for text in more_paths(whole).details)
