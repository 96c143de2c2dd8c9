"""Which numbers of donors a plan is about: those that most draws have, whatever one draw has besides."""

from __future__ import annotations

from pathlib import Path

from synthetic_study import Truth, grid, write_study

from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from analysis.load.studies import load_studies
from analysis.plan.planner import donor_ladder


def test_more_numbers_or_a_larger_k_in_one_draw_change_no_plan(tmp_path: Path) -> None:
    """1 to 4 donors at k = 4 in six draws; in one draw 8 donors too, and all five numbers at k = 16."""
    donors = {1: (), 2: ("a", "b"), 3: ("a", "b", "c"), 4: ("a", "b", "c", "d"), 8: tuple("abcdefgh")}
    specs = []
    for k in (4, 16):
        for number, union in donors.items():
            draws = range(6) if k == 4 and number < 8 else (1,)
            rft = grid(models=("nano-s",), fracs=(1.0,), ks=(k,), methods=("rft",), draws=draws)
            specs += [{**spec, "union": list(union)} if union else spec for spec in rft]
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=16))
    points = make_points(load_studies([folder]).cells, Outcomes({}, {}))
    ladder = donor_ladder(points, points[0].cell.base)
    assert [(p.cell.k, max(1, len(p.cell.union))) for p in ladder] == [(4, 1), (4, 2), (4, 3), (4, 4)]
