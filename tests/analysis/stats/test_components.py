"""Variance components against an independent mixed model, against the textbook's mean squares, and on data of known truth."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from analysis.stats.components import Components, components
from analysis.stats.uncertainty import Floats

NAMES = ("base", "replicate", "problem", "base_problem", "rest")


def drawn(
    rng: np.random.Generator, sizes: list[int], problems: int, *, sd: tuple[float, ...] = (1.0, 0.5, 0.8, 0.6, 1.0)
) -> list[Floats]:
    """Draws with so many replicates each; standard deviations in the order of NAMES."""
    item = rng.normal(0, sd[2], problems)
    draws = []
    for size in sizes:
        own = rng.normal(0, sd[0]) + rng.normal(0, sd[3], problems)
        draws.append(3.0 + own + item + rng.normal(0, sd[1], (size, 1)) + rng.normal(0, sd[4], (size, problems)))
    return draws


def variances(found: Components) -> list[float]:
    return [getattr(found, name).variance for name in NAMES]


def statsmodels_variances(draws: list[Floats]) -> list[float]:
    import pandas as pd
    import statsmodels.formula.api as smf

    rows = [
        {"y": draw[r, i], "d": d, "r": f"{d}.{r}", "i": i, "di": f"{d}.{i}", "all": 1}
        for d, draw in enumerate(draws)
        for r in range(draw.shape[0])
        for i in range(draw.shape[1])
    ]
    parts = {"base": "0 + C(d)", "base_problem": "0 + C(di)", "problem": "0 + C(i)", "replicate": "0 + C(r)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = smf.mixedlm("y ~ 1", pd.DataFrame(rows), groups="all", vc_formula=parts, re_formula="0")
        fit = model.fit(reml=True, method="lbfgs")
    known = dict(zip(model.exog_vc.names, fit.vcomp, strict=True)) | {"rest": fit.scale}
    return [float(known[name]) for name in NAMES]


@pytest.mark.parametrize("sizes", [[3, 3, 3, 3], [1, 4, 2, 3, 2]])
def test_components_agree_with_statsmodels(sizes: list[int]) -> None:
    draws = drawn(np.random.default_rng(20), sizes, 8)  # all variances come out above 0
    ours, theirs = variances(components([draws])), statsmodels_variances(draws)
    assert ours == pytest.approx(theirs, abs=2e-3, rel=5e-3)


def test_balanced_components_are_the_mean_squares_of_analysis_of_variance() -> None:
    draws = np.array(drawn(np.random.default_rng(3), [4] * 6, 30))  # [draws, replicates, problems]
    D, R, I = draws.shape  # noqa: E741
    mean, by_d, by_dr, by_i, by_di = (
        draws.mean(), draws.mean((1, 2)), draws.mean(2), draws.mean((0, 1)), draws.mean(1),
    )  # fmt: skip
    ms_d = R * I * ((by_d - mean) ** 2).sum() / (D - 1)
    ms_r = I * ((by_dr - by_d[:, None]) ** 2).sum() / (D * (R - 1))
    ms_i = D * R * ((by_i - mean) ** 2).sum() / (I - 1)
    ms_di = R * ((by_di - by_d[:, None] - by_i + mean) ** 2).sum() / ((D - 1) * (I - 1))
    rest = draws - by_dr[:, :, None] - by_di[:, None, :] + by_d[:, None, None]
    ms_e = (rest**2).sum() / (D * (R - 1) * (I - 1))
    by_hand = [
        (ms_d - ms_r - ms_di + ms_e) / (R * I), (ms_r - ms_e) / I, (ms_i - ms_di) / (D * R), (ms_di - ms_e) / R, ms_e,
    ]  # fmt: skip
    assert min(by_hand) > 0, "else the two differ by rule"
    assert variances(components([list(draws)])) == pytest.approx(by_hand, rel=1e-4)


def test_what_the_design_cannot_tell_apart_has_no_number() -> None:
    rng = np.random.default_rng(4)
    one_draw = components([drawn(rng, [5], 40)])
    assert one_draw.base is None
    assert one_draw.replicate is not None
    single = components([drawn(rng, [1] * 6, 40)])
    assert single.replicate is None
    assert single.base is not None


def test_configurations_have_means_of_their_own() -> None:
    rng = np.random.default_rng(5)
    bases = [drawn(rng, [2, 3, 2, 2], 60) for _ in range(3)]
    shifted = [[draw + 100 * place for draw in draws] for place, draws in enumerate(bases)]
    assert variances(components(shifted)) == pytest.approx(variances(components(bases)), rel=1e-3, abs=1e-5)


def test_estimates_lie_in_their_intervals_where_levels_differ_and_one_configuration_has_replicates() -> None:
    """Right and wrong: at 15 % an answer varies less than at 50 %, and problems have other effects."""
    rng = np.random.default_rng(11)
    difficulty = rng.normal(0, 1.2, 400)
    for _ in range(10):
        bases = []
        for level, replicates in ((-2.0, 1), (0.0, 2), (1.0, 1), (0.7, 1)):
            bases.append(
                [
                    (rng.random((replicates, 400)) < 1 / (1 + np.exp(-(level + rng.normal(0, 0.4) + difficulty))))
                    * 100.0
                    for _ in range(6)
                ]
            )
        found = components(bases)
        for name in NAMES:
            part = getattr(found, name)
            assert part.interval[0] - 1e-6 <= part.variance <= part.interval[1] + 1e-6, name
        alone = components(bases[1:2])  # what one answer varies is that of the configuration that shows it
        assert found.rest.variance == pytest.approx(alone.rest.variance)


def test_a_problem_s_effect_is_that_within_one_configuration() -> None:
    """Effects of their own in each configuration are problems' noise, not noise of single draws."""
    rng = np.random.default_rng(12)
    bases = [drawn(rng, [2] * 6, 400, sd=(1.0, 0.5, 2.0, 0.0, 1.0)) for _ in range(4)]
    found = components(bases)
    assert found.problem.sd == pytest.approx(2.0, rel=0.06)
    assert found.base_problem.sd < 0.25


@pytest.mark.parametrize("sizes", [[[1], [1], [1]], [[2], [2]], [[1, 1], [1]], [[2, 1], [1]], [[2], [1, 1, 1]]])
def test_components_that_cannot_be_told_apart_are_none(sizes: list[list[int]]) -> None:
    found = components([drawn(np.random.default_rng(6), each, 30) for each in sizes])
    several, repeated = any(len(each) > 1 for each in sizes), any(size > 1 for each in sizes for size in each)
    assert (found.base is not None) is several
    assert (found.replicate is not None) is repeated
    assert (found.problem is not None) is (several or repeated)
    both = any(len(each) > 1 and max(each) > 1 for each in sizes)
    assert (found.base_problem is not None) is both
    assert (found.rest is not None) is repeated


@pytest.mark.parametrize("sizes", [[3] * 6, [1, 5, 2, 3, 2, 1]])
@pytest.mark.parametrize("ratio", [1, 5])
def test_intervals_of_components_hold_the_truth(sizes: list[int], ratio: int) -> None:
    rng = np.random.default_rng(10 * ratio + len(set(sizes)))
    sd = (math.sqrt(ratio), 1.0, 2.0, 1.0, 3.0)
    held = dict.fromkeys(NAMES, 0)
    for _ in range(300):
        found = components([drawn(rng, sizes, 60, sd=sd)])
        for name, true in zip(NAMES, sd, strict=True):
            low, high = getattr(found, name).interval
            held[name] += low <= true**2 <= high
    assert all(0.91 <= count / 300 <= 0.985 for count in held.values()), held  # 93 to 97 % and three standard errors
