"""Equal optimiser steps: of the draws and replicates that two settings share, whatever one of them took elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.rulings import ClaimResult
from analysis.claims.run import run_claims, study_view
from analysis.compare.exchange import Exchange, exchange_rates
from analysis.compare.positive import positive_controls
from analysis.figures.exchange import exchange_figure
from analysis.load.cells import Cell
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from analysis.load.query import same_but, same_steps, where
from analysis.load.studies import load_studies
from analysis.tables.matched import matched_summary

STEPS = {0: 100, 1: 110, 2: 95, 3: 105, 4: 98, 5: 160}  # by draw: the last base finds many more paths
FRESH = (128, 256, 512)
Study = tuple[list[Cell], Outcomes]
BASES = ("nano-s", "nano-m")


def draw_of(cell: Cell) -> int:
    return cell.seeds["pretrain_seed"]


def at_steps(cells: Sequence[Cell], steps: Callable[[Cell], float | None]) -> list[Cell]:
    return [replace(cell, num_optimizer_steps=steps(cell)) for cell in cells]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two bases of six draws; in every draw RFT and all controls take its own number of steps."""
    methods = ("sft", "sft_matched", "sft_best", "rft")
    specs = grid(models=BASES, fracs=(1.0,), ks=(16,), methods=methods, draws=range(6))
    human = grid(models=BASES, fracs=(1.0,), ks=(16,), methods=("fresh_human",), draws=range(6))
    specs += [{**spec, "fresh": count} for spec in human for count in FRESH]
    truth = Truth(num_items=300, replicate_sd=0.3, rft_at_1=8.0, rft_per_k=0.0, fresh_gain=lambda share: 8 * share)
    table, outcomes = verified(
        load_studies([write_study(tmp_path_factory.mktemp("steps") / "s", specs=specs, truth=truth)])
    )
    return at_steps(table.cells, lambda c: 64 if c.method == "sft" else STEPS[draw_of(c)]), outcomes


def better_sft(cells: Sequence[Cell], outcomes: Outcomes) -> ClaimResult:
    (found,) = [r for r in run_claims(study_view(make_points(cells, outcomes), outcomes)) if r.claim == "4a"]
    return found


@pytest.mark.parametrize("lost", range(6))
def test_a_lost_cell_is_a_lost_draw_and_no_lost_control(study: Study, lost: int) -> None:
    """Without one RFT cell the comparison is the one of a study that never had its draw."""
    cells, outcomes = study
    some = [c for c in cells if c.method != "sft_best"]
    failed = better_sft([c for c in some if c.method != "rft" or draw_of(c) != lost], outcomes)
    never = better_sft([c for c in some if draw_of(c) != lost], outcomes)
    assert failed.estimate is not None
    assert never.estimate is not None
    assert "against SFT at equal steps" in failed.reason
    assert (failed.ruling, failed.estimate.value, failed.estimate.se) == (
        never.ruling, pytest.approx(never.estimate.value), pytest.approx(never.estimate.se),
    )  # fmt: skip


def test_equal_means_of_unlike_steps_are_no_equal_steps(study: Study) -> None:
    """The control of each draw took another draw's steps: the means agree to the step, single draws by 60 %."""
    cells, outcomes = study
    swapped = at_steps(
        cells,
        lambda c: STEPS[5 - draw_of(c)] if c.method == "sft_matched" else c.num_optimizer_steps,
    )
    alone = [c for c in swapped if c.method != "sft_best"]
    result, table = better_sft(alone, outcomes), matched_summary(make_points(alone, outcomes), outcomes)
    for text in (result.reason, " ".join(table.split())):
        assert (
            "sft_matched of 2 of 2 settings took other numbers of optimiser steps than they did (-38 % to +60 %" in text
        )
        assert "was run" not in text
    beside = better_sft(swapped, outcomes)
    assert "against SFT at its validated budget alone" in beside.reason
    assert any("sft_matched of 2 of 2 settings took other numbers" in line for line in beside.details)


def test_a_control_that_one_base_lacks_is_told_by_what_lacks(study: Study) -> None:
    cells, outcomes = study
    longer = at_steps(
        cells,
        lambda c: 2 * STEPS[draw_of(c)] if (c.method, c.model) == ("sft_matched", "nano-m") else c.num_optimizer_steps,
    )
    (other, there) = better_sft(longer, outcomes).details[:2]
    assert other == (
        "sft_matched of 1 of 2 settings took other numbers of optimiser steps than they did (+100 % in single replicates)"
    )
    assert there == "SFT at equal steps: nano-m left out: no such cell"
    never = [c for c in cells if (c.method, c.model) != ("sft_matched", "nano-m")]
    assert better_sft(never, outcomes).details[0] == there


@pytest.mark.parametrize(
    ("mine", "theirs", "equal"),
    [
        ({0: 100, 1: 200}, {0: 100, 1: 200}, True),
        ({0: 100, 1: 200}, {0: 100, 1: 206}, True),  # 0 and 3 %
        ({0: 100, 1: 200}, {0: 102, 1: 206}, False),  # 2 % and 3 %
        ({0: 100, 1: 200}, {0: 109, 1: 182}, True),  # 9 % above and below: not far, and neither is favoured
        ({0: 100, 1: 200}, {0: 112, 1: 176}, False),  # 12 % above and below
        ({0: 100, 1: 200, 2: 900}, {0: 100, 1: 200, 3: 50}, True),  # 900 and 50: no draw of both
        ({0: 100, 1: 200}, {0: 150, 1: 150}, False),  # as many in the mean
        ({0: 100, 1: None}, {0: 100, 1: 200}, True),
        ({0: 100, 1: None}, {0: 200, 1: 200}, False),
    ],
)
def test_what_equal_means(
    study: Study, mine: Mapping[int, float | None], theirs: Mapping[int, float | None], equal: bool
) -> None:
    cells, outcomes = study
    told = {"rft": mine, "sft_matched": theirs}
    some = [c for c in cells if c.model == "nano-s" and draw_of(c) in told.get(c.method, {})]
    points = make_points(at_steps(some, lambda c: told[c.method][draw_of(c)]), outcomes)
    (rft,), (control,) = where(points, method="rft"), where(points, method="sft_matched")
    assert same_steps(rft, control) is equal
    assert same_but(rft, points, method="sft_matched") is (control if equal else None)


def test_fresh_problems_of_some_draws_are_a_positive_control_and_have_a_rate(study: Study) -> None:
    """'Neither fresh human problems nor twice the human data was run', where five draws of six had both."""
    cells, outcomes = study
    for lost in (0, 5):
        kept = [c for c in cells if c.model == "nano-s" and (c.method != "fresh_human" or draw_of(c) != lost)]
        never = [c for c in kept if draw_of(c) != lost]
        found, wanted = ([*_known(some, outcomes)] for some in (kept, never))
        assert len(found) == len(FRESH) + 1
        assert found == pytest.approx(wanted)
        assert exchange_figure(make_points(kept, outcomes), outcomes)


def _known(cells: Sequence[Cell], outcomes: Outcomes) -> list[float]:
    """The values of all positive controls, and of the exchange rate's numerator."""
    points = make_points(cells, outcomes)
    (rate,) = exchange_rates(points, outcomes)
    assert isinstance(rate, Exchange)
    assert len(rate.curve) == 1 + len(FRESH)
    controls = positive_controls(where(points, method="rft"), points, outcomes)
    return [*(one.value for one in controls), rate.log.numerator.value]


def test_fresh_problems_of_other_steps_are_on_no_curve(study: Study) -> None:
    """Swapped between draws, their mean is that of RFT."""
    cells, outcomes = study
    swapped = at_steps(
        [c for c in cells if c.model == "nano-s"],
        lambda c: STEPS[5 - draw_of(c)] if c.method == "fresh_human" else c.num_optimizer_steps,
    )
    points = make_points(swapped, outcomes)
    (rate,) = exchange_rates(points, outcomes)
    assert "there are 0 such amounts" in str(rate)
    assert "at equal optimiser steps" in str(exchange_figure(points, outcomes))
    assert positive_controls(where(points, method="rft"), points, outcomes) == []


def test_a_positive_control_is_against_sft_that_shares_its_replicates(study: Study) -> None:
    """Of two of as many steps, one has more cells, none of them of the draws of the fresh problems."""
    cells, outcomes = study
    own = at_steps([c for c in cells if c.model == "nano-s"], lambda _: 100)
    few = [c for c in own if c.method == "fresh_human" and c.setting["methods.fresh_human.fresh_count"] == 512]
    fresh = [replace(c, setting={k: v for k, v in c.setting.items() if k != "k"}) for c in few if draw_of(c) < 2]
    matched = [c for c in own if c.method == "sft_matched"]
    other = [replace(c, setting={**c.setting, "k": 8}) for c in matched if draw_of(c) >= 2]
    rest = [c for c in own if c.method == "rft"] + [c for c in matched if draw_of(c) < 2]
    points = make_points([*rest, *other, *fresh], outcomes)
    (found,) = positive_controls(where(points, method="rft"), points, outcomes)
    pairs = [(c, m) for c in fresh for m in matched if draw_of(c) == draw_of(m)]
    assert found.value == pytest.approx(50 * sum(_accuracy(c) - _accuracy(m) for c, m in pairs))


def _accuracy(cell: Cell) -> float:
    assert cell.accuracy is not None
    return cell.accuracy.value
