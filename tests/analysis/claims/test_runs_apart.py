"""A control of other draws, or of other training seeds, than a base's RFT: as good as none in that base, and named.

The oracle is the study in which that control was never run: every number is the same, and only a line names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.donors import claim_self_made
from analysis.claims.rft import claim_more_paths, claim_rft_beats_sft
from analysis.claims.rulings import ClaimResult, Ruling
from analysis.claims.run import study_view
from analysis.compare.comparisons import Standing, standing
from analysis.compare.positive import positive_controls
from analysis.figures.findings import claim_words
from analysis.figures.over_sft import rft_over_sft
from analysis.load.cells import Cell
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from analysis.load.query import run_apart, same_but, setting_but, where
from analysis.load.studies import load_studies
from analysis.paper import table_points
from analysis.tables.matched import compared, matched_notes, matched_summary

BASES = ("nano-s", "nano-m", "nano-l")
FRACS = (0.25, 0.5, 1.0)
CONTROL = {"sft_matched": 7.0, "sft_best": -2.0, "fresh_human": 14.0}  # minus SFT
Study = tuple[list[Cell], Outcomes]
Chosen = Callable[[Cell], bool]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Three bases of six draws. RFT is worse than step-matched SFT, better than both others."""
    specs = grid(models=BASES, fracs=FRACS, ks=(4,), methods=("sft", "rft"), draws=range(6))
    specs += grid(
        models=BASES, fracs=(1.0,), ks=(4,), methods=("sft_matched", "sft_best", "self_query"), draws=range(6)
    )
    specs += [
        {**spec, "policy": "no_dedup"}
        for spec in grid(models=BASES, fracs=(1.0,), ks=(4,), methods=("rft",), draws=range(6))
    ]
    specs += [
        {**spec, "fresh": 256}
        for spec in grid(models=BASES, fracs=(1.0,), ks=(4,), methods=("fresh_human",), draws=range(6))
    ]
    folder = write_study(
        tmp_path_factory.mktemp("apart") / "s",
        specs=specs,
        truth=Truth(num_items=300, replicate_sd=0.3, rft_at_1=3.0, rft_per_k=0.0, control=CONTROL),
    )
    table, outcomes = verified(load_studies([folder]))
    return table.cells, outcomes


def of_large(method: str, **also: object) -> Chosen:
    return lambda c: (c.model, c.method) == ("nano-l", method) and all(getattr(c, n) == v for n, v in also.items())


def in_other_draws(cells: Sequence[Cell], chosen: Chosen) -> list[Cell]:
    return [moved(c, "pretrain_seed") if chosen(c) else c for c in cells]


def with_other_seeds(cells: Sequence[Cell], chosen: Chosen) -> list[Cell]:
    return [moved(c, "train_seed") if chosen(c) else c for c in cells]


def moved(cell: Cell, name: str) -> Cell:
    draw = f"another than {cell.draw}" if name == "pretrain_seed" else cell.draw
    return replace(cell, seeds={**cell.seeds, name: cell.seeds[name] + 50_000}, draw=draw)


def claims(cells: Sequence[Cell], outcomes: Outcomes) -> dict[str, ClaimResult]:
    view = study_view(make_points(cells, outcomes), outcomes)
    return {r.claim: r for claim in (claim_rft_beats_sft, claim_more_paths, claim_self_made) for r in claim(view)}


MOVES = [in_other_draws, with_other_seeds]


@pytest.mark.parametrize(
    ("claim", "chosen", "move"),
    [
        ("4a", of_large("sft_matched"), in_other_draws),
        ("4a", of_large("sft_matched"), with_other_seeds),
        ("4a", of_large("sft_best"), in_other_draws),
        ("4b", of_large("sft", data_frac=1.0), with_other_seeds),
        ("4c", of_large("sft", data_frac=0.5), in_other_draws),
        ("6b", of_large("rft", policy="no_dedup"), with_other_seeds),
        ("8a", of_large("sft", data_frac=1.0), in_other_draws),
    ],
)
def test_what_was_run_apart_is_as_good_as_never_run_and_named(
    study: Study, claim: str, chosen: Chosen, move: Callable[[Sequence[Cell], Chosen], list[Cell]]
) -> None:
    cells, outcomes = study
    apart, never = (
        claims(some, outcomes)[claim] for some in (move(cells, chosen), [c for c in cells if not chosen(c)])
    )
    assert apart.estimate is not None
    assert never.estimate is not None
    assert apart.estimate.value == pytest.approx(never.estimate.value)
    assert apart.estimate.se == pytest.approx(never.estimate.se)
    assert (apart.ruling, apart.reason) == (never.ruling, never.reason)
    (line,) = set(apart.details) - set(never.details)
    assert line.split(" left out")[0].split(" was run")[0].split(" of ")[-1] == "nano-l"
    assert set(never.details) <= set(apart.details)


@pytest.mark.parametrize("move", MOVES)
def test_the_only_control_of_one_base_leaves_the_claim_to_the_others(
    study: Study, move: Callable[[Sequence[Cell], Chosen], list[Cell]]
) -> None:
    cells, outcomes = study
    alone = [c for c in cells if c.method != "sft_best"]
    found = claims(move(alone, of_large("sft_matched")), outcomes)["4a"]
    two = claims([c for c in alone if c.model != "nano-l"], outcomes)["4a"]
    assert found.estimate is not None
    assert two.estimate is not None
    assert (found.estimate.num_bases, found.ruling) == (2, two.ruling)
    assert found.estimate.value == pytest.approx(two.estimate.value)
    assert found.details[0] == (
        "sft_matched of nano-l was run in other draws or replicates than rft there, and so is no control of it"
    )
    of_none = claims(move(alone, lambda c: c.method == "sft_matched"), outcomes)["4a"]
    assert of_none.ruling is Ruling.NOT_TESTABLE
    assert "sft_matched of nano-s, nano-m, nano-l was run in other draws" in of_none.reason


def test_a_title_and_the_table_say_which_control_is_left(study: Study) -> None:
    cells, outcomes = study
    both, apart = cells, in_other_draws(cells, of_large("sft_matched"))
    for some in (both, apart):  # the bases that have both say that RFT trails one of them
        assert claim_words(claims(some, outcomes)["4a"]).startswith("RFT trails the better SFT control")
    points = make_points(apart, outcomes)
    found = compared(points, outcomes)
    for one in found:
        of_both = {"sft_matched", "sft_best"} - ({"sft_matched"} if one.point.cell.model == "nano-l" else set())
        if one.point.method == "rft" and one.point.cell.plainly_selected and one.point.cell.data_frac == 1:
            assert set(one.differences) == set(one.controls) == of_both
    (note,) = {note for note in matched_notes(found) if "was run in other draws" in note and "than rft" in note}
    assert note.startswith("sft_matched of nano-l")
    assert all("other draws" not in note for note in matched_notes(compared(make_points(both, outcomes), outcomes)))


def test_the_figure_has_the_same_marks_as_without_that_control(study: Study) -> None:
    cells, outcomes = study
    chosen = of_large("sft_matched")
    apart, never = (
        rft_over_sft(make_points(some, outcomes), outcomes)
        for some in (in_other_draws(cells, chosen), [c for c in cells if not chosen(c)])
    )
    assert getattr(apart, "fits", 0) == getattr(never, "fits", 1)


def test_a_table_without_any_control_says_that_one_was_run_apart(study: Study) -> None:
    cells, outcomes = study
    some = [c for c in cells if c.method in ("rft", "sft_matched") and c.model == "nano-l"]
    text = " ".join(
        matched_summary(make_points(in_other_draws(some, of_large("sft_matched")), outcomes), outcomes).split()
    )
    assert "not enough data" in text
    assert "sft_matched of nano-l was run in other draws or replicates than rft there" in text


def test_one_shared_replicate_makes_a_control(study: Study) -> None:
    cells, outcomes = study
    chosen = of_large("sft_matched")
    some = [c for c in cells if c.model == "nano-l" and c.data_frac == 1]
    all_but_one = in_other_draws(some, lambda c: chosen(c) and c.seeds["pretrain_seed"] > 0)
    for moved_cells, shared in ((all_but_one, True), (in_other_draws(some, chosen), False)):
        points = make_points(moved_cells, outcomes)
        rft = where(points, method="rft", plainly_selected=True)[0]
        (control,) = where(points, method="sft_matched")
        assert same_but(rft, points, method="sft_matched") is (control if shared else None)
        assert run_apart(rft, points, method="sft_matched") is not shared
        assert setting_but(rft, points, method="sft_matched") is control
    assert not run_apart(rft, points, method="expert_iteration")


def test_a_positive_control_that_was_run_apart_is_not_said_to_be_never_run(study: Study) -> None:
    """Fresh problems were run in both bases; in one with other seeds than its step-matched SFT."""
    cells, outcomes = study
    some = [c for c in cells if c.model != "nano-m" and c.data_frac == 1]
    points = make_points(with_other_seeds(some, of_large("fresh_human")), outcomes)
    found = positive_controls(where(points, method="rft", plainly_selected=True), points, outcomes)
    assert standing(found) is Standing.NEVER
    assert "paired" in Standing.NEVER.value
    assert (
        standing(positive_controls(where(points, method="rft", model="nano-s"), points, outcomes)) is not Standing.NEVER
    )


def test_twice_the_data_is_a_positive_control_in_whatever_draws_it_pairs(study: Study) -> None:
    """It is of the base, not of RFT's draws: SFT on all and on half of the data need each other alone."""
    cells, outcomes = study
    some = [c for c in cells if c.model == "nano-l" and c.method in ("rft", "sft")]
    for moved_cells in (some, in_other_draws(some, of_large("sft"))):
        points = make_points(moved_cells, outcomes)
        assert len(positive_controls(where(points, method="rft", data_frac=1.0), points, outcomes)) == 1
    half = in_other_draws(some, of_large("sft", data_frac=0.5))
    points = make_points(half, outcomes)
    assert positive_controls(where(points, method="rft", data_frac=1.0), points, outcomes) == []


def test_published_runs_without_seeds_pair_as_before() -> None:
    points = make_points(table_points().cells, Outcomes({}, {}))
    rft = where(points, method="rft", plainly_selected=True, data_frac=1.0)
    assert rft
    assert all(same_but(p, points, method="sft") is setting_but(p, points, method="sft") for p in rft)
    assert any(same_but(p, points, method="sft") is not None for p in rft)
