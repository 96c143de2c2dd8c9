"""Which settings are best compared with each other, against every subset; and what a choice of a value goes by."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.load.cells import Cell
from analysis.load.coverage import best_together, coverage
from analysis.load.ladders import shared_tops
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.query import most_in_common, same_but, shared_words
from analysis.load.recipes import main_recipe
from analysis.load.studies import load_studies

Design = list[set[tuple[int, int]]]  # of every setting the (draw, seed) that it was run in


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Cell:
    specs = grid(models=("nano-s",), fracs=(1.0,), methods=("sft",))
    folder = write_study(tmp_path_factory.mktemp("one") / "s", specs=specs, truth=Truth(num_items=20, num_full=16))
    return load_studies([folder]).cells[0]


def points_of(cell: Cell, design: Design) -> list[Point]:
    """Settings that were run so; of one score, which decides nothing."""
    (known,) = make_points([cell], Outcomes({}, {}))
    return [
        Point(
            tuple(
                replace(
                    cell, setting={**cell.setting, "data_frac": 1 + number}, draw=f"draw {draw}",
                    seeds={"pretrain_seed": draw, "data_seed": seed, "train_seed": seed},
                )
                for draw, seed in sorted(own)
            ),
            known.estimate,
        )
        for number, own in enumerate(design)
    ]  # fmt: skip


def product(design: Design, places: Sequence[int], *, one_draw: bool) -> int:
    shared = set.intersection(*(design[place] for place in places))
    return len(shared if one_draw else {draw for draw, _ in shared}) * len(places) ** 2


def random_design(rng: np.random.Generator, *, settings: int, draws: int, seeds: int) -> Design:
    """Some settings in all draws, some in one, some in a few."""
    every = list(itertools.product(range(draws), range(seeds)))
    found: Design = []
    for _ in range(settings):
        share = rng.choice([0.1, 0.5, 0.9, 1.0])
        found.append({one for one in every if rng.random() < share} or {every[rng.integers(len(every))]})
    return found


@pytest.mark.parametrize(("draws", "seeds"), [(6, 1), (3, 2), (1, 5)])
@pytest.mark.parametrize("settings", [4, 6, 9, 12])
def test_no_subset_is_better_than_the_choice(cell: Cell, settings: int, draws: int, seeds: int) -> None:
    """The largest product, of equals the most settings; in one unit for every subset: draws where the base has several."""
    rng = np.random.default_rng([settings, draws])
    for _ in range(4 if settings > 9 else 10):
        design = random_design(rng, settings=settings, draws=draws, seeds=seeds)
        one_draw = len({draw for own in design for draw, _ in own}) == 1
        sizes = range(3, settings + 1)
        subsets = [places for size in sizes for places in itertools.combinations(range(settings), size)]
        best = max((product(design, places, one_draw=one_draw), len(places)) for places in subsets)
        points = points_of(cell, design)
        found = [points.index(point) for point in most_in_common(points)]
        assert (product(design, found, one_draw=one_draw), len(found)) == best
        again = most_in_common([points[place] for place in rng.permutation(settings)])
        assert {id(point) for point in again} == {id(points[place]) for place in found}


def test_two_rare_settings_of_ten_leave_eight_in_all_draws(cell: Cell) -> None:
    """8 settings of 6 draws (384) beat 10 of one (100), which greedy steps do not find."""
    six, one = {(d, 0) for d in range(6)}, {(0, 0)}
    for rare in ((0, 1), (8, 9)):
        points = points_of(cell, [one if place in rare else six for place in range(10)])
        assert [p for p in points if p not in most_in_common(points)] == [points[place] for place in rare]


def test_further_draws_of_one_setting_do_not_take_it_away(cell: Cell) -> None:
    """Four amounts in three replicates of one draw; all data in five further draws. It has all that the others have."""
    shared = {(0, seed) for seed in range(3)}
    points = points_of(cell, [shared, shared, shared, shared | {(draw, 0) for draw in range(1, 6)}])
    assert most_in_common(points) == points


def test_what_is_left_out_is_told_by_what_it_shares(cell: Cell) -> None:
    six = {(d, 0) for d in range(6)}
    points = points_of(cell, [six, six, six, {(2, 0)}, {(7, 0)}, {(1, 5)}])
    kept = most_in_common(points)
    assert [shared_words([point], kept) for point in points[3:]] == [
        "it shares 1 of the 6 draws of the rest",
        "it shares no draw with the rest",
        "it shares none of the 6 draws of the rest",
    ]
    runs = {(0, seed) for seed in range(3)}
    (few,) = points_of(cell, [runs, runs, runs, {(0, 1)}])[3:]
    assert shared_words([few], points_of(cell, [runs, runs, runs])) == "it shares 1 of the 3 replicates of the rest"


def test_two_contrasts_never_fall_to_one_draw_where_one_has_several(cell: Cell) -> None:
    for draws in range(2, 7):
        many = points_of(cell, [{(d, 0) for d in range(draws)}] * 2 + [{(0, 0)}])
        assert best_together([[many[0], many[1]], [many[0], many[2]]], least=1) == [0]
    alike = points_of(cell, [{(d, 0) for d in range(6)}] * 4)
    assert best_together([alike[:2], alike[2:]], least=1) == [0, 1]


def test_many_settings_of_unlike_draws_are_chosen_from_in_no_time(cell: Cell) -> None:
    points = points_of(cell, random_design(np.random.default_rng(0), settings=30, draws=8, seeds=1))
    began = time.process_time()
    most_in_common(points)
    assert time.process_time() - began < 5


def test_coverage_counts_draws_of_all_bases_that_the_settings_of_a_group_share(cell: Cell) -> None:
    first = points_of(cell, [{(0, 0), (0, 1), (1, 0)}, {(0, 0), (0, 1), (2, 0)}])
    second = [Point(tuple(replace(c, base="another") for c in point.cells), point.estimate) for point in first]
    assert coverage([first]) == (1, 1, 1, 0)
    assert coverage([first, second]) == (4, 2, 2, 0)
    assert coverage([first, first[:1]]).draws == 2  # a draw counts once, however many groups have it
    assert coverage([]) == (0, 0, 0, 0)
    one_draw = points_of(cell, [{(0, 0), (0, 1)}, {(0, 0), (0, 1), (0, 2)}])
    assert coverage([one_draw]) == (1, 1, 1, 2)  # replicates count where no base has several draws


def test_one_k_is_taken_by_draws_beside_sft(tmp_path: Path) -> None:
    """k = 16 has six draws of two bases; k = 64 one draw of each beside SFT, and seven that SFT lacks."""
    common = {"models": ("nano-s", "nano-m"), "fracs": (1.0,)}
    specs = grid(**common, ks=(16,), methods=("sft", "rft"), draws=range(6))  # type: ignore[arg-type]
    specs += grid(**common, ks=(64,), methods=("rft",), draws=(0, *range(10, 17)))  # type: ignore[arg-type]
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=16))
    points = make_points(load_studies([folder]).cells, Outcomes({}, {}))
    assert [p.cell.k for p in shared_tops(points)] == [16, 16]
    without = [p for p in points if p.method == "rft"]
    assert [p.cell.k for p in shared_tops(without)] == [64, 64]  # nothing to be beside: most draws


def test_a_replicate_more_or_a_k_without_controls_takes_no_k_away(tmp_path: Path) -> None:
    """k = 4 and 16 in four draws each, 16 beside the control too: four more replicates and a draw of k = 4 change nothing."""
    common = {"models": ("nano-s",), "fracs": (1.0,)}
    specs = grid(**common, ks=(4, 16), methods=("sft", "rft"), draws=range(4), seeds=range(2))  # type: ignore[arg-type]
    specs += grid(**common, ks=(16,), methods=("sft_matched",), draws=range(3))  # type: ignore[arg-type]
    gone = [spec for spec in specs if spec["k"] == 16 and spec["method"] == "rft" and spec["seed"] % 1000 == 1]
    specs = [spec for spec in specs if spec not in gone]
    specs += grid(**common, ks=(4,), methods=("sft", "rft"), draws=(8,))  # type: ignore[arg-type]
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=16))
    points = make_points(load_studies([folder]).cells, Outcomes({}, {}))
    assert [p.cell.k for p in shared_tops(points)] == [16]


def test_the_commonest_recipe_is_the_one_of_most_draws(tmp_path: Path) -> None:
    """A pilot at another temperature has more settings, in one draw."""
    common = {"models": ("nano-s",), "fracs": (1.0,)}
    specs = grid(**common, ks=(4, 16), methods=("sft", "rft"), draws=range(6))  # type: ignore[arg-type]
    pilot = grid(**common, ks=(1, 2, 4, 8, 16, 64), methods=("rft",), draws=(1,))  # type: ignore[arg-type]
    specs += [{**spec, "temperature": 1.0} for spec in pilot]
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=16))
    points = make_points(load_studies([folder]).cells, Outcomes({}, {}))
    assert main_recipe(points).left_out == {"temperature": {"1": 6}}


def test_a_control_in_one_draw_that_has_a_key_more_takes_not_the_place_of_one_in_six(tmp_path: Path) -> None:
    """Records from before a key say as much of it as those that have it: RFT has it, and so has SFT in one draw."""
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=("sft", "rft"), draws=range(6))
    specs = [{**spec, "train.new": 1} if spec["method"] == "rft" else spec for spec in specs]
    specs += [{**spec, "train.new": 1} for spec in specs if spec["method"] == "sft" and spec["pretrain_seed"] == 2]
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=16))
    points = make_points(load_studies([folder]).cells, Outcomes({}, {}))
    (rft,) = (p for p in points if p.method == "rft")
    control = same_but(rft, points, method="sft")
    assert control is not None
    assert len(control.draws) == 6


def test_votes_set_no_settings_apart_and_are_counted_of_those_that_voted(cell: Cell) -> None:
    plain = [replace(cell, draw=f"draw {d}", seeds={"pretrain_seed": d, "data_seed": d}) for d in range(5)]
    voted = {"eval.vote_k": 8, "eval.vote_temperature": 0.7}
    also = {name: replace(cell.scores["maj1@1"], value=0.5) for name in ("pass@1", "maj1@8")}

    def with_votes(one: Cell) -> Cell:
        return replace(one, setting={**one.setting, **voted}, scores={**one.scores, **also})

    for cells in (plain, [with_votes(plain[0]), *plain[1:]], [*plain, *map(with_votes, plain)]):
        (point,) = make_points(cells, Outcomes({}, {}))
        assert sorted(c.draw for c in point.cells) == [c.draw for c in plain]
        assert math.isclose(point.estimate.value, 100 * cell.scores["maj1@1"].value)
        assert main_recipe([point]).left_out == {}
    assert all("maj1@8" in c.scores for c in point.cells)  # of one replicate the cell with votes stays
