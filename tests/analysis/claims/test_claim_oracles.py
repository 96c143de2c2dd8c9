"""Every claim's statistic against one computed here from the printed numbers of the paper, with plain numpy and scipy; and
one definition for both columns: the published numbers, relabelled as a measured study, give the same statistic.

What the paper cannot show (controls at equal steps, fractions of RFT, self-made data) is checked on small made-up numbers.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis import paper
from analysis.claims.rulings import SAME_EPOCHS, ClaimResult, Ruling, StudyView
from analysis.claims.run import claims_details, published_view, run_claims
from analysis.load.cells import Cell
from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from rft.records import Score

NOTHING = Outcomes({}, {})
# 7B, 7B-2, 13B, 13B-2, 33B, 65B, 70B-2 (tables 1 and 5 of the paper)
LOSS = np.array([1.80, 1.75, 1.73, 1.68, 1.62, 1.57, 1.50])
SIZE = np.array([7, 7, 13, 13, 33, 65, 70]) * 1e9
ICL = np.array([11.0, 14.6, 17.8, 28.7, 35.6, 50.9, 56.8])
SFT = np.array([35.9, 41.6, 43.0, 50.0, 54.6, 59.3, 63.2])
SFT_3_EPOCHS = {
    1: SFT,
    1 / 2: np.array([30.9, 34.6, 36.1, 45.3, 50.8, 55.6, 61.0]),
    1 / 4: np.array([22.7, 28.1, 27.4, 37.5, 44.6, 50.4, 57.8]),
    1 / 8: np.array([16.5, 21.8, 19.5, 33.4, 39.3, 46.0, 57.8]),
}
RFT_100 = np.array([41.7, 47.5, 49.1, 54.8, 54.5])
U13B = np.array([49.3, 50.3, 52.1, 55.4, 56.5, 59.0, 62.3])
U33B = np.array([49.1, 51.2, 51.4, 55.3, 57.9, 59.7, 64.8])
NO_DEDUP = np.array([43.6, 46.7, 46.9, 53.7])
RFT_BY_K = np.array(
    [[37.6, 43.4, 42.7, 52.1], [39.0, 45.3, 45.2, 51.9], [39.5, 45.6, 46.8, 52.2], [41.6, 45.3, 48.0, 53.1],
     [40.9, 46.5, 46.0, 52.6], [40.7, 47.0, 49.4, 54.5], [41.7, 47.5, 49.1, 54.8]]
)  # fmt: skip
DISTINCT_BY_K = np.array(
    [[1.17, 1.19, 1.15, 1.18], [1.44, 1.47, 1.41, 1.45], [1.74, 1.78, 1.69, 1.76], [2.20, 2.23, 2.11, 2.21],
     [2.93, 2.93, 2.88, 2.94], [3.94, 3.91, 3.90, 3.94], [5.25, 5.19, 5.26, 5.29]]
)  # fmt: skip
DISTINCT_100 = np.array([5.25, 5.19, 5.26, 5.29, 2.78])
CORRECT_100 = np.array([53.3, 60.8, 62.5, 71.6, 88.7])


@pytest.fixture(scope="module")
def published() -> dict[str, ClaimResult]:
    return {result.claim: result for result in run_claims(published_view())}


@pytest.fixture(scope="module")
def relabelled() -> dict[str, ClaimResult]:
    """The published numbers as if measured here at 3 epochs, with paths counted both ways as records count them."""
    cells = [c for c in paper.table_points(rule=SAME_EPOCHS).cells if c.on_all_examples]
    points = make_points([_as_measured(cell) for cell in cells], NOTHING)
    return {result.claim: result for result in run_claims(StudyView(tuple(points), NOTHING, published=False))}


def _as_measured(cell: Cell) -> Cell:
    """Without the human path there are fewer paths, by a number that grows with the loss and falls with k."""
    with_human = cell.distinct_per_question_with_human
    fewer = None if with_human is None else with_human - 0.5 * (cell.loss or 0) / (cell.k or 1) ** 0.3
    return replace(cell, source=None, distinct_per_question=fewer)


def line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """(slope, standard error, two-sided p)."""
    fit = stats.linregress(x, y)
    return fit.slope, fit.stderr, fit.pvalue


def mean_of_bases(values: np.ndarray) -> tuple[float, float, float]:
    test = stats.ttest_1samp(values, 0.0)
    return float(values.mean()), float(stats.sem(values)), float(test.pvalue)


def slopes_by_k() -> np.ndarray:
    return np.array([line(np.log2(DISTINCT_BY_K[:, i]), RFT_BY_K[:, i])[0] for i in range(4)])


def slopes_by_data() -> np.ndarray:
    x = np.log2(list(SFT_3_EPOCHS))
    return np.array([line(x, np.array([row[i] for row in SFT_3_EPOCHS.values()]))[0] for i in range(7)])


ORACLES = {  # claim -> value, standard error, p
    "2c": line(LOSS, ICL - SFT),
    "3": line(LOSS, slopes_by_data()),
    "4b": mean_of_bases(RFT_100 - SFT[:5]),
    "5a": line(LOSS[:5], RFT_100 - SFT[:5]),
    "5b": line(LOSS, U13B - SFT),
    "6a": mean_of_bases(slopes_by_k()),
    "6b": mean_of_bases(RFT_100[:4] - NO_DEDUP),
    "7b": line(LOSS, U33B - U13B),
}


@pytest.mark.parametrize("claim", ORACLES)
def test_the_published_statistic_is_the_oracles(claim: str, published: dict[str, ClaimResult]) -> None:
    estimate = published[claim].estimate
    assert estimate is not None
    assert np.allclose((estimate.value, estimate.se, estimate.p_value()), ORACLES[claim], atol=1e-9)


@pytest.mark.parametrize("claim", ORACLES)
def test_both_columns_have_one_definition(claim: str, relabelled: dict[str, ClaimResult]) -> None:
    """5a compared a study's own samples with the paper's unions, 3 an epoch rule with the better of two by test result, 6a
    paths without the human one with paths with it."""
    estimate = relabelled[claim].estimate
    assert estimate is not None
    assert math.isclose(estimate.value, ORACLES[claim][0], abs_tol=1e-9)


def test_claim_1_departs_from_the_line_of_equal_epochs(published: dict[str, ClaimResult]) -> None:
    x = np.log2(list(SFT_3_EPOCHS))
    design = np.stack([np.ones(4), x], axis=1)
    values = np.array(list(SFT_3_EPOCHS.values()))
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    said = published["1"].estimate
    assert said is not None
    assert math.isclose(said.value, rest.flat[np.abs(rest).argmax()], abs_tol=1e-9)


def test_claim_2a_is_williams_test(published: dict[str, ClaimResult]) -> None:
    """Williams (1959) as Steiger (1980) gives it, written out here."""
    a, b = abs(np.corrcoef(SFT, LOSS)[0, 1]), abs(np.corrcoef(SFT, np.log10(SIZE))[0, 1])
    c = abs(np.corrcoef(LOSS, np.log10(SIZE))[0, 1])
    det = np.linalg.det(np.array([[1, a, b], [a, 1, c], [b, c, 1]]))
    t = (a - b) * math.sqrt(6 * (1 + c) / (2 * (6 / 4) * det + ((a + b) / 2) ** 2 * (1 - c) ** 3))
    assert published["2a"].p is not None
    assert math.isclose(published["2a"].p, 2 * stats.t.sf(abs(t), 4), rel_tol=1e-9)


def test_claim_2b_is_the_bend_of_a_parabola(published: dict[str, ClaimResult]) -> None:
    """c x^2 departs from its best chord over [-h, h] by c h^2 / 2."""
    half = (LOSS.max() - LOSS.min()) / 2
    bends = {name: np.polyfit(LOSS, y, 2)[0] * half**2 / 2 for name, y in (("sft", SFT), ("icl", ICL))}
    for name, bend in bends.items():
        assert f"{name}: departure {bend:+.2f}" in published["2b"].reason


@pytest.mark.parametrize("column", ["published", "relabelled"])
def test_claim_6d_counts_the_human_path_in_both_columns(column: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(column)["6d"]
    correct, distinct = line(LOSS[:5], CORRECT_100), line(LOSS[:5], DISTINCT_100)
    assert f"correct {correct[0]:+.1f} (p {correct[2]:.3f})" in result.reason
    assert f"distinct {distinct[0]:+.2f} (p {distinct[2]:.3f})" in result.reason
    assert result.ruling is Ruling.NOT_SEPARABLE
    assert "human path counted" in result.statistic


def test_paths_on_test_questions_are_no_claim(published: dict[str, ClaimResult]) -> None:
    assert "6c" not in published
    assert "human path counted" in claims_details({"published": list(published.values())})


# What the paper cannot show: made-up percentages of two bases
def made(base: str, method: str, percent: float, **setting: Any) -> Cell:
    return Cell(
        study="s", cell_id=f"{base}{method}{percent}{setting}", names={"model": base, "data": "d"}, base=base, draw=base,
        setting={"method": method, "data_frac": 1.0, "train.epochs": 3.0, **setting},
        scores={"maj1@1": Score(percent / 100, 1000, 0.01)}, loss={"a": 2.0, "b": 1.8}[base], loss_text="t",
    )  # fmt: skip


def value_of(cells: list[Cell], claim: str) -> float:
    view = StudyView(tuple(make_points(cells, NOTHING)), NOTHING, published=False)
    (result,) = [r for r in run_claims(view) if r.claim == claim]
    assert result.estimate is not None, result.reason
    return result.estimate.value


OWN = {"k": 8, "union": [], "select.policy": "paper"}


def test_claim_4a_is_rft_minus_sft_at_its_steps() -> None:
    rows = {"a": (31.0, 30.5, 28.0), "b": (44.0, 40.5, 41.5)}  # RFT, matched, plain
    cells = []
    for base, (rft, matched, plain) in rows.items():
        cells += [made(base, "rft", rft, **OWN), made(base, "sft", plain)]
        cells.append(made(base, "sft_matched", matched, **OWN, **{"methods.sft_matched.to": "rft"}))
    assert math.isclose(value_of(cells, "4a"), (0.5 + 3.5) / 2)
    assert math.isclose(value_of(cells, "4b"), (3.0 + 2.5) / 2)


def test_claim_4c_is_the_difference_of_the_last_doubling_from_the_earlier_ones() -> None:
    sft, rft = {0.25: 20.0, 0.5: 26.0, 1.0: 29.0}, {0.25: 22.0, 0.5: 29.0, 1.0: 35.5}
    cells = [replace(c, setting={**c.setting, "data_frac": f}) for f, v in sft.items() for c in [made("a", "sft", v)]]
    cells += [
        replace(c, setting={**c.setting, "data_frac": f}) for f, v in rft.items() for c in [made("a", "rft", v, **OWN)]
    ]
    assert math.isclose(value_of(cells, "4c"), ((35.5 - 29) - (29 - 22)) - ((29 - 26) - (26 - 20)))


def test_claim_7a_is_at_as_many_draws() -> None:
    cells = []
    for base, union, own in (("a", 33.0, 30.0), ("b", 45.0, 44.0)):
        cells.append(made(base, "rft", union, k=4, union=["a", "b"], **{"select.policy": "paper"}))
        cells += [made(base, "rft", own, **OWN), made(base, "rft", own - 9, **{**OWN, "k": 4})]
    assert math.isclose(value_of(cells, "7a"), (3.0 + 1.0) / 2)


@pytest.mark.parametrize(("claim", "method"), [("8a", "self_query"), ("8b", "self_revise")])
def test_claim_8_is_minus_plain_sft(claim: str, method: str) -> None:
    cells = [made("a", "sft", 40.0), made("a", method, 37.5), made("b", "sft", 50.0), made("b", method, 51.0)]
    assert math.isclose(value_of(cells, claim), (-2.5 + 1.0) / 2)
