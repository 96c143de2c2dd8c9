"""Lines and power laws of figures: x, y and interval of the draws and replicates that all points of a series have."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.figures.drawing import Drawing
from analysis.figures.findings import gains_of
from analysis.figures.left_out import unshared_words
from analysis.figures.overview import sft_against_data
from analysis.figures.paths import accuracy_against_distinct, accuracy_against_k, distinct_against_k
from analysis.load.cells import Cell
from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from analysis.stats.linear import NotEnough
from rft.records import Score

NOTHING = Outcomes({}, {})
Place = tuple[int, int, int]  # k (or human examples), draw, replicate
Draw = Callable[..., Drawing | NotEnough]


def made(place: Place, *, percent: float, **values: Any) -> Cell:
    k, draw, replicate = place
    seeds = {"pretrain_seed": draw} | dict.fromkeys(("data_seed", "train_seed", "sample_seed"), 100 * draw + replicate)
    setting = {"method": "rft", "data_frac": 1.0, "k": k, "union": [], "select.policy": "paper", "train.epochs": 3.0}
    values = {"distinct_per_question_with_human": values.get("distinct_per_question"), **values}  # no human path here
    return Cell(
        study="s", cell_id=f"{place}", names={"model": "a", "data": "d"}, base="a", draw=f"a{draw}", setting=setting,
        scores={"maj1@1": Score(percent / 100, 1000, 0.01)}, seeds=seeds, **{"num_human": 512.0, **values},
    )  # fmt: skip


def sft(place: Place, *, percent: float) -> Cell:
    cell = made(place, percent=percent, num_human=float(place[0]))
    return replace(cell, setting={"method": "sft", "data_frac": place[0] / 400, "train.epochs": 3.0})


def fit_of(function: Draw, cells: Iterable[Cell]) -> tuple[Mapping[str, Any], str]:
    drawing = function(make_points(cells, NOTHING), NOTHING)
    assert isinstance(drawing, Drawing)
    (entry,) = drawing.fits
    return entry, drawing.caption


def nested(values: Mapping[Place, float], *, keys: set[tuple[int, int]], k: int) -> float:
    """Mean over draws of the mean over replicates."""
    by_draw = [[values[k, d, r] for d, r in keys if d == draw and (k, d, r) in values] for draw in {d for d, _ in keys}]
    return float(np.mean([np.mean(of_draw) for of_draw in by_draw]))


def random_study(rng: np.random.Generator) -> dict[Place, tuple[float, float, float]]:
    """Accuracy, paths and samples drawn of the cells that are there: some draws and replicates lack some k."""
    there = [(k, d, r) for k in (1, 4, 16, 64) for d in range(4) for r in range(3) if rng.random() < 0.8]
    return {p: (rng.uniform(20, 80), p[0] ** 0.4 * rng.uniform(0.5, 3), p[0] * rng.uniform(0.5, 2)) for p in there}


def worth(settings: Sequence[set[tuple[int, int]]]) -> int:
    """Draws that all have, times the squared number of settings."""
    return len({draw for draw, _ in set.intersection(*settings)}) * len(settings) ** 2


@pytest.mark.parametrize("seed", range(6))
def test_a_line_is_that_of_the_cells_in_common_by_brute_force(seed: int) -> None:
    study = random_study(np.random.default_rng(seed))
    every_k = {k: {(d, r) for at, d, r in study if at == k} for k in (1, 4, 16, 64)}
    choices = [some for size in (3, 4) for some in itertools.combinations(every_k, size)]
    best = max(choices, key=lambda some: (worth([every_k[k] for k in some]), len(some)))
    by_k = {k: every_k[k] for k in best}
    keys = set.intersection(*by_k.values())
    assert keys, "this seed tests nothing"
    thin = len(every_k) - len(best)
    percent, paths, drawn = ({place: values[i] for place, values in study.items()} for i in range(3))
    y, counts, amounts = ([nested(v, keys=keys, k=k) for k in by_k] for v in (percent, paths, drawn))
    cells = [made(p, percent=a, distinct_per_question=b, drawn_per_question=c) for p, (a, b, c) in study.items()]
    used = {d for d, _ in keys}
    every = set.union(*by_k.values())
    left = {"draws_left_out": len({d for d, _ in every} - used)}
    left["replicates_left_out"] = len({key for key in every - keys if key[0] in used})
    wanted = {
        accuracy_against_k: (np.log2(amounts), np.array(y)),
        accuracy_against_distinct: (np.log2(counts), np.array(y)),
        distinct_against_k: (np.log(amounts), np.log(counts)),
    }
    for function, (x, values) in wanted.items():
        entry, caption = fit_of(function, cells)
        slope = np.polyfit(x, values, 1)[0]
        assert entry["b"] == pytest.approx(slope), function
        if function is not distinct_against_k:
            assert entry["slope_estimate"]["value"] == pytest.approx(slope), function
        assert {name: entry.get(name, 0) for name in left} == left
        assert ("In no line, as not all points of the series have them" in caption) == any(left.values())
        assert len(entry.get("left_out", ())) == thin


def test_paths_grow_with_the_exponent_that_every_draw_has() -> None:
    """Draws with many paths lack the largest k: 0.40 in each was 0.05, and the line over paths pointed down."""
    cells = []
    for draw, k in ((d, k) for d in range(4) for k in (1, 4, 16) if not (k == 16 and d > 1)):
        paths = k**0.4 * (6 if draw > 1 else 1)
        cells.append(made((k, draw, 0), percent=30 + 6 * math.log2(paths), distinct_per_question=paths))
    grown, caption = fit_of(distinct_against_k, cells)
    assert grown["b"] == pytest.approx(0.4)
    assert "not all points of the series have them: 2 draws (a, distinct paths)." in caption
    line, caption = fit_of(accuracy_against_distinct, cells)
    assert line["b"] == pytest.approx(6)
    assert "not all points of the series have them: 2 draws (a, RFT)." in caption
    assert "not all points" not in fit_of(accuracy_against_k, [c for c in cells if c.draw in ("a0", "a1")])[1]


@pytest.mark.parametrize("function", [accuracy_against_k, distinct_against_k])
def test_the_place_on_the_axis_of_k_hangs_on_no_order_of_replicates(function: Draw) -> None:
    """It was that of the first: seeds by other names moved an exponent from 0.400 to 0.347."""
    drawn = {
        (k, d, r): k * (1.5 if k == 16 and r == 0 else 1.0) for k in (1, 4, 16) for d in range(2) for r in range(2)
    }
    drawn |= {(k, 0, 2): k * 1.0 for k in (1, 4, 16)}  # unequal numbers: draws count alike

    def places(rename: Callable[[int], int]) -> list[float]:
        cells = [
            made((k, d, rename(r)), percent=40 + k, distinct_per_question=float(k), drawn_per_question=value)
            for (k, d, r), value in drawn.items()
        ]
        base = math.e if function is distinct_against_k else 2
        return [base**x for x in fit_of(function, cells)[0]["x"]]

    by_hand = 16 * (((1.5 + 1 + 1) / 3) + (1.5 + 1) / 2) / 2
    assert places(lambda r: r) == pytest.approx([1, 4, by_hand])
    assert places(lambda r: 2 - r) == pytest.approx([1, 4, by_hand])


def test_a_title_has_number_and_verdict_of_one_slope() -> None:
    """Half and all of the data have six replicates, a quarter one, a lucky one: -3.3 stood beside the interval of +2."""
    luck = {0: 12.0}
    cells = [
        sft((n, 0, r), percent=38 + 2 * math.log2(n / 100) + 0.1 * r + luck.get(r, 0.0))
        for n in (100, 200, 400)
        for r in range(6)
        if n > 100 or r == 0
    ]
    drawing = sft_against_data(make_points(cells, NOTHING), NOTHING)
    assert isinstance(drawing, Drawing)
    (entry,) = drawing.fits
    assert entry["b"] == pytest.approx(2.0)
    assert entry["slope_estimate"]["value"] == pytest.approx(2.0)
    assert gains_of("sft", "data")(drawing.fits, {}).startswith("SFT gains +2.0 points per doubling of data")
    assert "In no line, as not all points of the series have them: 5 replicates (a, SFT)." in drawing.caption


def test_a_line_without_replicates_in_common_has_no_interval() -> None:
    """Every amount has a seed of its own: the line is of their draw, and the title gives no verdict."""
    cells = [sft((n, 0, i), percent=40 + i) for i, n in enumerate((100, 200, 400))]
    drawing = sft_against_data(make_points(cells, NOTHING), NOTHING)
    assert isinstance(drawing, Drawing)
    assert drawing.fits[0]["b"] == pytest.approx(1.0)
    assert "slope_estimate" not in drawing.fits[0]
    assert gains_of("sft", "data")(drawing.fits, {}) == "SFT gains +1.0 points per doubling of data"


def test_a_title_gives_the_slope_that_the_interval_is_of() -> None:
    entry = {"method": "sft", "b": -3.3, "slope_estimate": {"value": 1.98, "interval_95": [0.6, 3.3]}}
    assert gains_of("sft", "data")([entry], {}) == (
        "SFT gains +2.0 points per doubling of data; apart from 0 in 1 of 1 base"
    )


def test_a_point_that_kept_no_path_on_the_common_cells_is_in_no_line() -> None:
    """Zero has no logarithm; on all its cells together the point has paths, and is drawn."""
    counts = {1: (0.0, 2.0), 4: (2.0, 2.0), 16: (4.0,), 64: (8.0,)}
    cells = [
        made((k, 0, r), percent=40 + math.log2(k), distinct_per_question=value)
        for k, values in counts.items()
        for r, value in enumerate(values)
    ]
    entry, _ = fit_of(accuracy_against_distinct, cells)
    assert entry["x"] == pytest.approx([1, 2, 3])
    assert len(entry["left_out"]) == 1


def test_captions_name_the_first_series_and_count_the_rest() -> None:
    fits = [{"series": f"nano-{n}, RFT against k", "b": 1.0, "draws_left_out": 3} for n in "abcde"]
    fits += [{"series": "nano-f, SFT", "b": 1.0, "draws_left_out": 1, "replicates_left_out": 2}]
    fits += [{"series": "nano-g, SFT", "not_enough_data": "2 points", "draws_left_out": 4}]
    words = (
        "3 draws (nano-a, RFT; nano-b, RFT; nano-c, RFT and 2 more), 1 draw (nano-f, SFT), 2 replicates (nano-f, SFT)"
    )
    assert unshared_words(fits) == f" In no line, as not all points of the series have them: {words}."
    assert unshared_words([{"series": "nano-a, SFT", "b": 1.0}]) == ""
