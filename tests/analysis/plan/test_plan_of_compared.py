"""The planner's ladders are of the points and draws that are compared; amounts that are none are refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.load.checks import verified
from analysis.load.points import make_points
from analysis.load.studies import load_studies
from analysis.plan.planner import Option, main, next_runs

Spec = dict[str, Any]
FRACS = (0.25, 0.5, 1.0)
ALIKE = Truth(per_doubling=5.0, replicate_sd=0.4, num_items=1000)


def planned(folder: Path, specs: Sequence[Spec], truth: Truth = ALIKE, *, target: str = "data_slope") -> list[Option]:
    table, outcomes = verified(load_studies([write_study(folder, specs=list(specs), truth=truth)]))
    found = next_runs(make_points(table.cells, outcomes), outcomes, target=target)
    return found if isinstance(found, list) else []


def ladder(fracs: Sequence[float], draws: Sequence[int], **options: Any) -> list[Spec]:
    return grid(models=("nano-s", "nano-m"), fracs=fracs, methods=("sft",), draws=draws, **options)


@pytest.mark.parametrize("place", [0.125, 0.75], ids=["at the end", "within"])
def test_an_amount_of_one_draw_takes_no_base_from_the_plan(tmp_path: Path, place: float) -> None:
    """Three amounts in four draws and one in one draw: the plan is that of the three. No base had one."""
    whole = planned(tmp_path / "whole", ladder(FRACS, range(1, 5)))
    found = planned(tmp_path / "more", [*ladder(FRACS, range(1, 5)), *ladder((place,), (2,))])
    assert len(whole) == 4  # of each base a further amount, and the ladder in more draws
    assert [str(option) for option in found] == [str(option) for option in whole]


def test_draws_that_one_amount_has_alone_drop_and_the_rest_is_planned(tmp_path: Path) -> None:
    """All data in six draws, its parts in four: hours and widths are of the four."""
    more = planned(tmp_path / "more", [*ladder(FRACS, range(1, 5)), *ladder((1.0,), (5, 6))])
    whole = planned(tmp_path / "whole", ladder(FRACS, range(1, 5)))
    assert [option.action for option in more] == [option.action for option in whole]
    assert [option.hours for option in more] == pytest.approx([option.hours for option in whole])
    assert [option.half_width_now for option in more] == pytest.approx([option.half_width_now for option in whole])


def test_the_width_now_is_that_of_the_points_that_are_compared(tmp_path: Path) -> None:
    """By hand: t over one degree of freedom, of the residuals of three means over four draws."""
    study = write_study(tmp_path / "s", specs=[*ladder(FRACS, range(1, 5)), *ladder((0.125,), (2,))], truth=ALIKE)
    cells = [c for c in load_studies([study]).cells if c.model == "nano-s" and c.data_frac != 0.125]
    ys = [np.mean([100 * c.accuracy.value for c in cells if c.data_frac == f and c.accuracy]) for f in FRACS]
    x = np.log2(FRACS)
    residuals = ys - np.polyval(np.polyfit(x, ys, 1), x)
    by_hand = 12.7062 * np.sqrt((residuals**2).sum() / ((x - x.mean()) ** 2).sum())
    table, outcomes = verified(load_studies([study]))
    options = next_runs(make_points(table.cells, outcomes), outcomes, target="data_slope")
    assert isinstance(options, list)
    assert {round(o.half_width_now, 3) for o in options if o.action.startswith("nano-s")} == {round(by_hand, 3)}


def test_no_amount_beyond_one_at_the_floor_is_offered(tmp_path: Path) -> None:
    """An eighth of the data is at 0 %: a sixteenth would be there too, and so would an eighth; the rest is planned."""
    truth = Truth(at_full=22.0, per_loss=0.0, per_doubling=8.0, item_sd=0.3, replicate_sd=0.3, num_items=1000)
    options = planned(tmp_path / "s", ladder((0.125, *FRACS), range(1, 5)), truth)
    assert options
    assert all("more draws of the base" in option.action for option in options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--problems", "0"], "argument --problems: '0' is none of 1, 2, 3, ..."),
        (["--problems", "1.5"], "argument --problems: '1.5' is none of 1, 2, 3, ..."),
        (["--minutes", "nan"], "argument --minutes: 'nan' is no finite number above 0"),
        (["--minutes=-5"], "argument --minutes: '-5' is no finite number above 0"),
        (["--minutes", "0"], "argument --minutes: '0' is no finite number above 0"),
        (["--sd=-1"], "argument --sd: '-1' is no finite number at least 0"),
        (["--sd", "inf"], "argument --sd: 'inf' is no finite number at least 0"),
    ],
)
def test_amounts_that_are_none_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_amounts_at_their_ends_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sd", "0", "--problems", "1"]) == 0
    assert "SD 0 points from draw to draw, 1 problems" in capsys.readouterr().out
