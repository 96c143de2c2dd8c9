"""What a claim compares: one cell more of a draw or setting that others lack moves no verdict, and a control less eases none.

One study of five bases and five draws, with what every claim needs, and beside it one cell each of many kinds. Claims are
run on parts of it, so that every number that should stay is the same to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic_study
from synthetic_study import Truth, cell_name, write_study

from analysis.claims.donors import claim_self_made, claim_unions
from analysis.claims.gains import claim_gain_shrinks, claim_rft_gain_shrinks
from analysis.claims.rft import claim_more_paths, claim_rft_beats_sft
from analysis.claims.rulings import ClaimResult, Ruling, averaged
from analysis.claims.run import study_view
from analysis.compare.shape import log_linear
from analysis.load.cells import BEST, EPOCH_GRID, MATCHED, Cell
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.query import same_but, where
from analysis.load.recipes import main_recipe
from analysis.load.studies import load_studies
from analysis.stats.linear import NotEnough

BASES = ("b1", "b2", "b3", "b4", "b5")
DRAWS = range(1, 6)
CLAIMS = (
    claim_gain_shrinks, claim_rft_beats_sft, claim_rft_gain_shrinks, claim_more_paths, claim_unions, claim_self_made,
)  # fmt: skip
Spec = dict[str, Any]


@dataclass(frozen=True)
class Made(Truth):
    """RFT is better than step-matched SFT and worse than SFT at its budget; no other claim is at an edge."""

    control: Mapping[str, float] = field(default_factory=lambda: {MATCHED: 0.0, BEST: 14.0})

    def accuracy(self, spec: Mapping[str, Any]) -> float:
        value = super().accuracy(spec)
        value += 4.0 * bool(spec.get("union")) - 6.0 * (spec.get("policy") == "no_dedup")
        return value - 8.0 * (spec["method"] == "self_query")


def cells_of(base: str, draw: int, *, k: int | None = None, frac: float = 1.0, **spec: Any) -> Spec:
    return {"model": base, "data_frac": frac, "k": k, "seed": 100 * draw, "pretrain_seed": draw, **spec}


def complete(base: str, draw: int) -> list[Spec]:
    made = [cells_of(base, draw, method="sft", frac=frac) for frac in (0.125, 0.25, 0.5, 1.0)]
    made += [cells_of(base, draw, method="rft", k=k) for k in (1, 4, 16)]
    made += [cells_of(base, draw, method="rft", k=16, frac=frac) for frac in (0.25, 0.5)]
    made += [cells_of(base, draw, method=MATCHED, k=16), cells_of(base, draw, method=BEST, **{EPOCH_GRID: [4, 8]})]
    made += [cells_of(base, draw, method="rft", k=16, policy="no_dedup")]
    made += [cells_of(base, draw, method="rft", k=8, union=["a", "b"])]
    return [*made, cells_of(base, draw, method="self_query", k=16)]


# one cell (or, of RFT and its control, two) of a setting that no base has, or of a draw that no other setting has
ADDED: dict[str, list[Spec]] = {
    "k=64": [{"method": "rft", "k": 64}],
    "k=64 beside its control": [{"method": "rft", "k": 64}, {"method": MATCHED, "k": 64}],
    "k=64 on half the data": [{"method": "rft", "k": 64, "frac": 0.5}],
    "k=16 on an eighth": [{"method": "rft", "k": 16, "frac": 0.125}],
    "a fifth amount": [{"method": "sft", "frac": 0.75}],
    "a wider grid": [{"method": BEST, EPOCH_GRID: [1, 2, 4, 8, 16]}],
    "no de-duplication at k=4": [{"method": "rft", "k": 4, "policy": "no_dedup"}],
    "four donors": [{"method": "rft", "k": 4, "union": ["a", "b", "c", "d"]}],
    "self-query at k=4": [{"method": "self_query", "k": 4}],
    "another temperature": [{"method": "rft", "k": k, "temperature": 1.0} for k in (1, 4, 16, 64)],
}
ELSEWHERE = {name: made for name, made in ADDED.items() if len(made) == 1} | {
    "sft": [{"method": "sft"}], "rft": [{"method": "rft", "k": 16}], "best": [{"method": BEST, EPOCH_GRID: [4, 8]}],
}  # fmt: skip
OTHER_DRAW = 9


@pytest.fixture(scope="module")
def study() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for place, base in enumerate(BASES):
            patch.setitem(synthetic_study.LOSS, base, 2.0 - 0.1 * place)
            patch.setitem(synthetic_study.PARAMS, base, 1e5 * 2**place)
        yield


@pytest.fixture(scope="module")
def loaded(study: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Cell], Outcomes]:
    """Every cell by its name."""
    specs = [spec for base in BASES for draw in DRAWS for spec in complete(base, draw)]
    specs += [cells_of(base, 1, **one) for base in BASES for made in ADDED.values() for one in made]
    specs += [cells_of(base, OTHER_DRAW, **one) for base in BASES for made in ELSEWHERE.values() for one in made]
    specs = list({cell_name(spec): spec for spec in specs}.values())
    truth = Made(num_items=300, replicate_sd=0.3, gain_sd=0.5, draw_sd=2.0, item_sd=0.8, per_loss=-20.0)
    table, outcomes = verified(
        load_studies([write_study(tmp_path_factory.mktemp("s") / "s", specs=specs, truth=truth)])
    )
    return {cell.cell_id: cell for cell in table.cells}, outcomes


def of_specs(cells: Mapping[str, Cell], specs: Sequence[Spec]) -> list[Cell]:
    return [cells[cell_name(spec)] for spec in specs]


def whole(cells: Mapping[str, Cell]) -> list[Cell]:
    return of_specs(cells, [spec for base in BASES for draw in DRAWS for spec in complete(base, draw)])


def claims(cells: Sequence[Cell], outcomes: Outcomes) -> dict[str, ClaimResult]:
    view = study_view(make_points(cells, outcomes), outcomes)
    return {result.claim: result for claim in CLAIMS for result in claim(view)}


@pytest.fixture(scope="module")
def before(loaded: tuple[dict[str, Cell], Outcomes]) -> dict[str, ClaimResult]:
    cells, outcomes = loaded
    return claims(whole(cells), outcomes)


def test_the_study_says_something_about_every_claim(before: dict[str, ClaimResult]) -> None:
    assert {before[name].ruling for name in ("4b", "6b", "7a")} == {Ruling.SUPPORTED}
    assert before["4a"].ruling is Ruling.CONTRADICTED
    for name in ("3", "4a", "4b", "4c", "5a", "6a", "6b", "7a", "8a"):
        assert before[name].estimate is not None, before[name].reason
        assert before[name].ruling is not Ruling.NOT_TESTABLE, before[name].reason


@pytest.mark.parametrize("bases", [BASES[:1], BASES], ids=["one base", "all bases"])
@pytest.mark.parametrize(
    ("name", "draw"), [*((name, 1) for name in ADDED), *((name, OTHER_DRAW) for name in ELSEWHERE)], ids=str
)
def test_a_cell_that_others_lack_moves_no_claim(
    loaded: tuple[dict[str, Cell], Outcomes],
    before: dict[str, ClaimResult],
    name: str,
    draw: int,
    bases: Sequence[str],
) -> None:
    cells, outcomes = loaded
    more = (ADDED if draw == 1 else ELSEWHERE)[name]
    added = of_specs(cells, [cells_of(base, draw, **one) for base in bases for one in more])
    after = claims([*whole(cells), *added], outcomes)
    for claim, old in before.items():
        new = after[claim]
        assert new.ruling is old.ruling, (claim, new.reason, new.details)
        if old.estimate is not None:
            assert new.estimate is not None
            assert new.estimate.value == pytest.approx(old.estimate.value), claim
            assert new.estimate.num_draws == old.estimate.num_draws


def test_no_control_cells_less_make_the_claim_easier(
    loaded: tuple[dict[str, Cell], Outcomes], before: dict[str, ClaimResult]
) -> None:
    """In truth RFT trails SFT at its budget in every base: no set of missing control cells says that it leads both."""
    cells, outcomes = loaded
    every = [c for c in whole(cells) if c.data_frac == 1 and c.method in ("rft", "sft", MATCHED, BEST)]
    rng = np.random.default_rng(3)
    rulings = set()
    for number in range(60):
        if number % 2:  # whole bases without one of the controls
            gone = {(base, name) for base in BASES for name in (MATCHED, BEST) if rng.random() < 0.5}
            left = [c for c in every if (c.model, c.method) not in gone]
        else:  # single cells, few or nearly all of them
            share = rng.choice([0.2, 0.6, 0.95])
            left = [c for c in every if c.method not in (MATCHED, BEST) or rng.random() > share]
        if not {MATCHED, BEST} <= {c.method for c in left}:
            continue
        view = study_view(make_points(left, outcomes), outcomes)
        found = claim_rft_beats_sft(view)[0]
        assert found.ruling in (Ruling.CONTRADICTED, Ruling.NOT_SEPARABLE, Ruling.NOT_TESTABLE), found.reason
        rulings.add(found.ruling)
    assert Ruling.CONTRADICTED in rulings


def controls_in(
    cells: Sequence[Cell], outcomes: Outcomes, kept: Mapping[str, Mapping[str, Sequence[int]]]
) -> ClaimResult:
    """Claim 4a with each control in these bases and draws alone."""
    some = [c for c in cells if c.method not in kept or c.seeds["pretrain_seed"] in kept[c.method].get(c.model, ())]
    return claim_rft_beats_sft(study_view(make_points(some, outcomes), outcomes))[0]


def test_each_control_is_judged_on_the_bases_that_have_it_and_the_others_are_named(
    loaded: tuple[dict[str, Cell], Outcomes],
) -> None:
    cells, outcomes = loaded
    every = dict.fromkeys(BASES, DRAWS)
    some = dict.fromkeys(BASES[1:], DRAWS)
    found = controls_in(whole(cells), outcomes, {MATCHED: every, BEST: some})
    assert found.ruling is Ruling.CONTRADICTED
    assert "SFT at its validated budget: b1 left out: no such cell" in found.details
    only = [c for c in whole(cells) if c.model != "b1"]
    alone = controls_in(only, outcomes, {}).estimate
    assert found.estimate is not None
    assert alone is not None
    assert found.estimate.value == alone.value


def test_where_no_base_has_both_each_control_counts_where_it_is(loaded: tuple[dict[str, Cell], Outcomes]) -> None:
    """RFT leads step-matched SFT in three bases and trails the budget in two others: it does not lead both."""
    cells, outcomes = loaded
    first, last = (dict.fromkeys(some, DRAWS) for some in (BASES[:3], BASES[3:]))
    found = controls_in(whole(cells), outcomes, {MATCHED: first, BEST: last})
    assert found.ruling is Ruling.CONTRADICTED
    assert found.reason.startswith("mean of 3 bases and mean of 2 bases")
    assert "SFT at equal steps: b4, b5 left out: no such cell" in found.details
    assert "SFT at its validated budget: b1, b2, b3 left out: no such cell" in found.details


def test_a_control_in_one_draw_takes_no_estimate_but_the_support(loaded: tuple[dict[str, Cell], Outcomes]) -> None:
    cells, outcomes = loaded
    every = dict.fromkeys(BASES, DRAWS)
    without = controls_in(whole(cells), outcomes, {MATCHED: every, BEST: {}})
    assert without.ruling is Ruling.SUPPORTED
    for draws, why in (((2,), "not estimable: one draw"), ((2, 3), "2 draws of 1 base(s), a verdict needs 5 of one")):
        found = controls_in(whole(cells), outcomes, {MATCHED: every, BEST: {"b1": draws}})
        assert found.estimate == without.estimate
        assert found.ruling is Ruling.NOT_TESTABLE
        assert found.reason.endswith(f"SFT at its validated budget: {why}")


@pytest.mark.parametrize(
    "easier", [{}, {"b1": (2,)}, {"b1": (2, 3)}, dict.fromkeys(BASES, (1,)), dict.fromkeys(BASES[:2], DRAWS)]
)
def test_cells_of_the_easier_control_undo_no_contradiction(
    loaded: tuple[dict[str, Cell], Outcomes], easier: Mapping[str, Sequence[int]]
) -> None:
    cells, outcomes = loaded
    found = controls_in(whole(cells), outcomes, {MATCHED: easier, BEST: dict.fromkeys(BASES, DRAWS)})
    assert found.ruling is Ruling.CONTRADICTED
    assert found.estimate is not None
    assert found.estimate.value < -5


def test_controls_whose_bases_of_several_draws_are_not_the_same(loaded: tuple[dict[str, Cell], Outcomes]) -> None:
    """It ended in an IndexError: no base was left that both controls kept."""
    cells, outcomes = loaded
    two = [c for c in whole(cells) if c.model in BASES[:2]]
    found = controls_in(two, outcomes, {MATCHED: {"b1": DRAWS, "b2": (1,)}, BEST: {"b1": (1,), "b2": DRAWS}})
    assert found.estimate is not None
    assert found.estimate.value < -5
    assert "SFT at equal steps: b2 left out: one draw, where other bases have several" in found.details


def test_further_draws_of_one_control_take_nothing_from_the_other(loaded: tuple[dict[str, Cell], Outcomes]) -> None:
    """Five bases of one draw with both controls; four further draws of RFT and the harder control alone."""
    cells, outcomes = loaded
    first = dict.fromkeys(BASES, (1,))
    before = controls_in([c for c in whole(cells) if c.seeds["pretrain_seed"] == 1], outcomes, {})
    after = controls_in(whole(cells), outcomes, {MATCHED: first, BEST: dict.fromkeys(BASES, DRAWS)})
    assert before.ruling is after.ruling is Ruling.CONTRADICTED


@pytest.mark.parametrize("few", [(3,), (2, 4)])
def test_a_base_of_one_draw_leaves_the_mean_and_is_named(
    loaded: tuple[dict[str, Cell], Outcomes], few: Sequence[int]
) -> None:
    """Two bases of five draws; a third of one draw joins and nothing moves, one of two draws counts."""
    cells, outcomes = loaded
    two = [c for c in whole(cells) if c.model in BASES[:2]]
    third = [c for c in whole(cells) if c.model == "b3" and c.seeds["pretrain_seed"] in few]
    old, new = (claims(some, outcomes) for some in (two, [*two, *third]))
    line = "b3 left out: one draw, where other bases have several"
    for name in ("4a", "4b", "4c", "6a", "6b", "7a", "8a"):
        if len(few) == 1:
            assert new[name].ruling is old[name].ruling
            assert new[name].estimate == old[name].estimate
            assert line in new[name].details
        else:
            assert new[name].estimate != old[name].estimate
            assert line not in new[name].details


def test_a_further_draw_of_one_base_leaves_a_mean_over_bases(loaded: tuple[dict[str, Cell], Outcomes]) -> None:
    """Five bases of one draw say more than two draws of one of them."""
    cells, outcomes = loaded
    points = make_points(
        [c for c in whole(cells) if c.seeds["pretrain_seed"] == 1 or c.draw == draw_two(cells)], outcomes
    )
    groups = [((p, s), (1.0, -1.0)) for p in where(points, method="rft", k=16, data_frac=1) if (s := plain(p, points))]
    kept, lines = averaged([group for group in groups if group[0][0].cell.plainly_selected], points)
    assert [group[0][0].cell.model for group in kept] == list(BASES)
    assert not lines


def draw_two(cells: Mapping[str, Cell]) -> str:
    return next(c.draw for c in cells.values() if c.model == "b1" and c.seeds["pretrain_seed"] == 2)


def plain(point: Point, points: Sequence[Point]) -> Point | None:
    return same_but(point, points, method="sft")


def test_bases_without_the_k_are_named(loaded: tuple[dict[str, Cell], Outcomes]) -> None:
    cells, outcomes = loaded
    found = claims([c for c in whole(cells) if c.model != "b5" or c.k != 16], outcomes)
    for name in ("4a", "4b", "5a"):
        assert "b5 left out: no RFT at k=16" in found[name].details


def test_claims_of_the_same_words_are_of_the_same_k(loaded: tuple[dict[str, Cell], Outcomes]) -> None:
    """k = 64 in one draw of every base: 4b and 5a stay at 16, as 4a and 4c."""
    cells, outcomes = loaded
    more = of_specs(cells, [cells_of(base, 1, **one) for base in BASES for one in ADDED["k=64 beside its control"]])
    found = claims([*whole(cells), *more], outcomes)
    assert all("k=16" in found[name].reason for name in ("4a", "4b", "4c", "5a"))


@dataclass(frozen=True)
class Reversed(Truth):
    """Better bases gain more points per doubling and less on log-odds: from 10 points at the bottom, 50 at the top."""

    def accuracy(self, spec: Mapping[str, Any]) -> float:
        place = BASES.index(spec["model"]) / 4
        return 12 + 38 * place + (2.2 + 1.2 * place) * float(np.log2(spec["data_frac"]))


def test_signs_are_counted_among_the_lines_that_were_fitted(study: None, tmp_path: Path) -> None:
    """One amount in one draw is left out of each base: five lines that name it are no variants."""
    specs = [
        cells_of(base, draw, method="sft", frac=frac)
        for base in BASES
        for draw in DRAWS
        for frac in (0.125, 0.25, 0.5, 1.0)
        if frac > 0.125 or draw == 1
    ]
    truth = Reversed(num_items=2000, replicate_sd=0.1, item_sd=0.5)
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=specs, truth=truth)]))
    found = claims(table.cells, outcomes)["3"]
    assert sum("it shares 1 of the 5 draws of the rest" in line for line in found.details) == len(BASES)
    assert "its sign reversed in 2 of 4 variants" in found.reason  # two ranges on two scales


def test_a_larger_k_in_more_draws_of_fewer_bases_takes_no_slope_over_bases(
    loaded: tuple[dict[str, Cell], Outcomes],
) -> None:
    """Five bases of two draws at k = 4; three have k = 16 in five draws: fifteen draws of three against ten of five."""
    cells, outcomes = loaded
    every = [c for c in whole(cells) if c.method in ("sft", "rft") and c.k != 1 and c.data_frac == 1]
    mine = [c for c in every if c.k != 16 and (c.method == "sft" or c.seeds["pretrain_seed"] < 3)]
    more = [c for c in every if c.k == 16 and c.model in BASES[:3] and not c.setting.get("union")]
    before, after = claims(mine, outcomes)["5a"], claims([*mine, *more], outcomes)["5a"]
    assert "k=4" in before.reason
    assert before.ruling is after.ruling is not Ruling.NOT_TESTABLE
    assert before.estimate == after.estimate


def test_a_test_of_four_amounts_keeps_four(loaded: tuple[dict[str, Cell], Outcomes]) -> None:
    """Four amounts in two draws, three of them in five: 5 · 3² is more than 2 · 4², but a line's departures need four."""
    cells, outcomes = loaded
    sft = [c for c in whole(cells) if c.method == "sft" and c.model == "b1"]
    some = [c for c in sft if c.data_frac != 0.125 or c.seeds["pretrain_seed"] < 3]
    points = make_points(some, outcomes)
    amounts = [math.log2(p.cell.data_frac or 1) for p in points]
    found = log_linear(points, amounts, outcomes)
    assert not isinstance(found, NotEnough), found
    assert len(found.departures) == 4


def test_the_commonest_recipe_is_that_of_most_cells_that_can_be_compared(
    loaded: tuple[dict[str, Cell], Outcomes],
) -> None:
    """RFT at T = 1: one k in five draws; at the usual temperature three k in four."""
    cells, outcomes = loaded
    own = [c for c in whole(cells) if c.model == "b1" and c.method in ("sft", "rft")]
    usual = [c for c in own if c.method == "sft" or c.seeds["pretrain_seed"] < 5]
    rft = [c for c in own if c.method == "rft" and c.k == 16 and c.data_frac == 1 and c.plainly_selected]
    hot = [replace(c, setting={**c.setting, "temperature": 1.0}) for c in rft if not c.setting.get("union")]
    kept = main_recipe(make_points([*usual, *hot], outcomes)).points
    assert {p.cell.k for p in kept if p.method == "rft" and p.cell.setting["temperature"] != 1.0} >= {1, 4, 16}
    assert not [p for p in kept if p.method == "rft" and p.cell.setting["temperature"] == 1.0]
