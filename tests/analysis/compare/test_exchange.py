"""The exchange rate on synthetic studies with known truth, its interval against a test of every value; what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from synthetic_study import Truth, grid, write_study

from analysis.compare.exchange import Exchange, exchange_rate, exchange_rates, new_paths, split_gain
from analysis.figures.drawing import Drawing
from analysis.figures.exchange import AXES, exchange_figure
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast, make_points
from analysis.load.studies import load_studies
from analysis.stats.linear import NotEnough
from rft.records import Problem, Sample
from rft.text.equations import equation_key
from rft.text.selection import policy_named, select

FRESH = (128, 256, 512, 1024)
N = 512


def loaded(folder: Path) -> tuple[list[Point], Outcomes]:
    table, outcomes = verified(load_studies([folder]))
    return make_points(table.cells, outcomes), outcomes


def study(
    folder: Path,
    *,
    rft: float,
    gain: Callable[[float], float],
    fresh: tuple[int, ...] = FRESH,
    items: int = 3000,
    sd: float = 0.3,
    draw_sd: float = 0.0,
    draws: int = 0,
) -> tuple[list[Point], Outcomes]:
    """RFT `rft` points above matched SFT, fresh problems `gain` of their share of the human ones."""
    methods = ("sft", "sft_matched", "oracle_paths", "rft")
    seeds = {"draws": range(draws), "seeds": range(2)} if draws else {"seeds": range(6)}
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(16,), methods=methods, **seeds)
    human = grid(models=("nano-m",), fracs=(1.0,), ks=(16,), methods=("fresh_human",), **seeds)
    specs += [{**spec, "fresh": count} for spec in human for count in fresh]
    truth = Truth(
        num_items=items,
        replicate_sd=sd,
        rft_at_1=1.0 + rft,
        rft_per_k=0.0,
        control={"sft_matched": 1.0, "oracle_paths": 4.0},
        fresh_gain=gain,
        num_full=N,
        gain_sd=draw_sd,
    )
    return loaded(write_study(folder, specs=specs, truth=truth))


def only(points: list[Point], outcomes: Outcomes) -> Exchange:
    (found,) = exchange_rates(points, outcomes)
    assert isinstance(found, Exchange), found
    return found


@pytest.mark.parametrize("rft", [6.0, 2.0, -3.0])
def test_the_logarithmic_rate_finds_the_truth_and_harm_is_below_zero(tmp_path: Path, rft: float) -> None:
    """8 points a doubling: RFT is worth 2 ** (rft / 8) - 1 times the human problems, fewer than none where it harms."""
    found = only(*study(tmp_path / "s", rft=rft, gain=lambda share: 8 * math.log2(1 + share)))
    true = N * (2 ** (rft / 8) - 1)
    assert found.log.interval is not None
    assert found.log.interval[0] < true < found.log.interval[1]
    assert (found.log.interval[1] < 0) == (rft < 0)
    assert abs(found.log.fresh - true) < 60
    assert ("extrapolated" in found.log.note) == (rft < 0)


def test_the_linear_rate_finds_the_truth_where_every_problem_counts_alike(tmp_path: Path) -> None:
    found = only(*study(tmp_path / "s", rft=5.0, gain=lambda share: 10 * share))
    assert found.linear.interval is not None
    assert found.linear.interval[0] < N * 0.5 < found.linear.interval[1]
    assert abs(found.linear.fresh - N * 0.5) < 40


def test_rates_are_by_kept_and_by_new_paths(tmp_path: Path) -> None:
    """Most kept paths repeat the human equation list: a rate by kept paths alone says nothing of new ones."""
    found = only(*study(tmp_path / "s", rft=4.0, gain=lambda share: 8 * math.log2(1 + share)))
    cell = found.rft.cell
    assert cell.distinct_per_question is not None
    assert found.new == pytest.approx((cell.distinct_per_question + 0.8 - 1) * N)  # 0.8: human paths that no sample has
    assert found.new < found.kept
    for paths in (found.kept, found.new):
        rate = found.log.per(paths)
        assert rate is not None
        assert rate[0] * paths == pytest.approx(found.log.fresh)
    capped = [replace(c, num_augmented=(c.num_augmented or 0) / 2) for c in found.rft.cells]
    assert new_paths(replace(found.rft, cells=tuple(capped))) is None  # kept is not every distinct path


def test_new_paths_are_those_that_selection_keeps_besides_the_human_list(tmp_path: Path) -> None:
    """Counted from kept paths one by one, against what the record's means say."""
    found = only(*study(tmp_path / "s", rft=4.0, gain=lambda share: 8 * math.log2(1 + share)))
    rng = np.random.default_rng(0)
    problems = [Problem(f"p{i}", "?", f"<<{i}+1={i + 1}>>\n#### {i + 1}", str(i + 1)) for i in range(40)]
    samples = [
        Sample(problem.id, draw, f"<<{a}+{i + 1 - a}={i + 1}>>\n#### {i + 1}", False, 1, "m")
        for i, problem in enumerate(problems)
        for draw, a in enumerate(rng.integers(0, i + 1, size=6).tolist())
    ]
    chosen = select(samples, problems, policy=policy_named("paper"))
    human = {problem.id: equation_key(problem.solution) for problem in problems}
    counted = sum(path.key != human[path.id] for path in chosen.kept)
    told = {
        "distinct_per_question": chosen.stats.distinct_per_question,
        "distinct_per_question_with_human": chosen.stats.distinct_per_question_with_human,
        "num_questions_sampled": len(problems), "num_augmented": len(chosen.kept),
    }  # fmt: skip
    cells = tuple(replace(c, **told) for c in found.rft.cells)
    assert 0 < counted < len(chosen.kept)
    assert new_paths(replace(found.rft, cells=cells)) == pytest.approx(counted)


def test_the_interval_holds_the_values_that_a_test_does_not_refuse(tmp_path: Path) -> None:
    """Fieller's theorem by brute force: r is in when RFT - a(n) - r * slope is not separable from 0."""
    points, outcomes = study(tmp_path / "s", rft=3.0, gain=lambda share: 8 * math.log2(1 + share), items=400, sd=1.5)
    found = only(points, outcomes)
    assert found.log.interval is not None
    x = np.log2([1.0, *(1 + f / N for f in FRESH)])
    design = np.stack([np.ones_like(x), x], axis=1)
    level, slope = np.linalg.pinv(design)
    kept = []
    for r in np.linspace(-2, 3, 2001):
        gap = contrast((found.rft, *found.curve), (1.0, *-(level + r * slope)), outcomes)
        assert gap is not None
        tops = (found.log.numerator.df, found.log.slope.df)
        if abs(gap.value) <= stats.t.ppf(0.975, min(tops)) * gap.se:
            kept.append(N * (2**r - 1))
    assert found.log.interval == pytest.approx((min(kept), max(kept)), abs=12)


def test_an_interval_over_all_amounts_is_not_estimable(tmp_path: Path) -> None:
    points, outcomes = study(tmp_path / "s", rft=1.0, gain=lambda share: 0.3 * share, items=60, sd=3.0)
    found = only(points, outcomes)
    assert found.log.interval is None
    assert found.log.note.startswith("not estimable")
    assert found.log.per(found.kept) is None
    drawing = exchange_figure(points, outcomes)
    assert isinstance(drawing, Drawing)
    assert "Not estimable: nano-m k=16 (log)" in drawing.caption
    assert drawing.fits[0]["log"]["per_new_path"] is None


def test_two_amounts_of_fresh_problems_are_too_few(tmp_path: Path) -> None:
    points, outcomes = study(tmp_path / "s", rft=3.0, gain=lambda share: 8 * math.log2(1 + share), fresh=FRESH[:2])
    (found,) = exchange_rates(points, outcomes)
    assert isinstance(found, NotEnough)
    assert "3 amounts of fresh human problems" in str(found)
    rft = next(p for p in points if p.method == "rft")
    without = [p for p in points if p.method != "fresh_human"]
    assert isinstance(exchange_rate(rft, without, outcomes), NotEnough)


def test_every_amount_is_shown_side_by_side_in_both_scales(tmp_path: Path) -> None:
    points, outcomes = study(tmp_path / "s", rft=3.0, gain=lambda share: 8 * math.log2(1 + share))
    drawing = exchange_figure(points, outcomes)
    assert isinstance(drawing, Drawing)
    entry = drawing.fits[0]
    assert entry["amounts"] == 1 + len(FRESH)
    for scale in ("log", "linear"):
        for paths in ("kept", "new"):
            low, high = entry[scale][f"per_{paths}_path"]["interval_95"]
            assert low < entry[scale][f"per_{paths}_path"]["value"] < high
    assert "not clipped" in drawing.caption.lower()


def test_the_parts_of_the_gain_add_up(tmp_path: Path) -> None:
    points, outcomes = study(tmp_path / "s", rft=3.0, gain=lambda share: 8 * math.log2(1 + share))
    split = split_gain(only(points, outcomes).rft, points, outcomes)
    assert split is not None
    assert split.steps is not None
    assert split.diversity is not None
    assert split.rest is not None
    assert math.isclose(split.total.value, split.steps.value + split.diversity.value + split.rest.value, abs_tol=1e-9)


def test_of_several_draws_the_interval_holds_the_draw(tmp_path: Path) -> None:
    """And beside it stands the interval of the drawn bases as they are; both hold their truth."""
    points, outcomes = study(
        tmp_path / "s", rft=3.0, gain=lambda share: 8 * math.log2(1 + share), draws=6, draw_sd=1.5, items=1000
    )
    found = only(points, outcomes)
    assert found.label.startswith("new bases of this kind")
    assert found.log.interval is not None
    assert found.log.these_bases is not None
    (low, high), (these_low, these_high) = found.log.interval, found.log.these_bases
    assert low < these_low < found.log.fresh < these_high < high
    assert low < N * (2 ** (3 / 8) - 1) < high
    drawing = exchange_figure(points, outcomes)
    assert isinstance(drawing, Drawing)
    entry = drawing.fits[0]["log"]["per_kept_path"]
    assert entry["these_bases_95"] == [pytest.approx(these_low / found.kept), pytest.approx(these_high / found.kept)]
    assert "new bases of this kind" in drawing.caption


def test_rates_stand_at_the_mean_loss_of_the_draws(tmp_path: Path) -> None:
    points, outcomes = study(tmp_path / "s", rft=3.0, gain=lambda share: 8 * math.log2(1 + share), draws=2)
    found = only(points, outcomes)
    cells = tuple(replace(cell, loss=0.7 if cell.seeds["pretrain_seed"] == 0 else 0.9) for cell in found.rft.cells)
    assert AXES["loss"][1](replace(found, rft=replace(found.rft, cells=cells))) == pytest.approx(0.8)
