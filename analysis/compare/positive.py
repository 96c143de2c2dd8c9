"""Positive controls: what is known to matter, measured in the bases of a comparison. Where it does not separate, that a
difference is small says nothing.

    found = positive_controls([rft], points, outcomes)       # fresh human problems, twice the human data: all that were run
    standing(found)                                          # Standing.SEPARATES (analysis.compare.comparisons)
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from analysis.load.cells import MATCHED, Base, matches
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import paired_replicates
from analysis.load.points import Contrast, Point, mean_contrast
from analysis.load.query import same_but, same_steps, setting_but, where
from analysis.load.recipes import ENGINE
from analysis.stats.uncertainty import Estimate

# keys that a control shares with the point; how many samples it was given says nothing
SAME = ("data", "eval.", "model.", "train.")
DOUBLED = ""  # before the names of fresh problems


def positive_controls(tops: Sequence[Point], points: Sequence[Point], outcomes: Outcomes) -> list[Estimate]:
    """Each control that was run in all bases of some points, a mean over exactly these bases: fresh human problems minus as
    many steps without them (at any k, any number of problems), and SFT on all minus SFT on half of the human data. What
    shares no replicate with the SFT that it is set against is none.

    Where every base has fresh problems, but of other numbers, the first of each; so too where every base has a control, but
    no one is in all of them. None depends on a test result.
    """
    of_bases: dict[Base, dict[str, Contrast]] = {}
    for top in tops:
        of_bases.setdefault(top.cell.base, _controls_of(top, points))
    every = list(of_bases.values())
    if not every:
        return []
    shared = sorted(set.intersection(*map(set, every)))
    groups = [[own[name] for own in every] for name in shared]
    fresh = [sorted(own.keys() - {DOUBLED}) for own in every]
    if all(fresh) and not set(shared) - {DOUBLED}:
        groups.append([own[names[0]] for own, names in zip(every, fresh, strict=True)])
    if not groups and all(every):
        groups = [[own[min(own)] for own in every]]
    return [found for group in groups if (found := mean_contrast(group, outcomes)) is not None]


def _controls_of(top: Point, points: Sequence[Point]) -> dict[str, Contrast]:
    """The controls in the base of a point, by name."""
    found: dict[str, Contrast] = {}
    for fresh in where(points, method="fresh_human"):
        matched = _as_many_steps(fresh, points) if _same_data(top, fresh) else None
        if matched is not None:
            found[_name(fresh)] = ((fresh, matched), (1.0, -1.0))
    full = setting_but(top, where(points, data_frac=1.0), method="sft", data_frac=1.0)
    half = None if full is None else same_but(full, where(points, method="sft"), data_frac=0.5)
    if full is not None and half is not None:
        found[DOUBLED] = ((full, half), (1.0, -1.0))
    return found


def _as_many_steps(fresh: Point, points: Sequence[Point]) -> Point | None:
    """SFT of as many steps, whichever method it names: fresh problems take those of the RFT whose paths they replace.

    Of several the one that shares the most replicates; one that shares none is no control.
    """
    found = {
        (-len(shared), p.cell.setting_key): p
        for p in where(points, method=MATCHED)
        if matches(fresh.cell, p.cell, but=("method",)) and same_steps(fresh, p)
        and (shared := paired_replicates((fresh, p)))
    }  # fmt: skip
    return found[min(found)] if found else None


def _same_data(top: Point, fresh: Point) -> bool:
    other = {key for key in top.cell.setting if not key.startswith(SAME)}
    return matches(top.cell, fresh.cell, but=other)


def _name(fresh: Point) -> str:
    """What tells the fresh problems of one base apart, and is alike from base to base."""
    own = {key: value for key, value in fresh.cell.setting.items() if not key.startswith(SAME) and key != ENGINE}
    return json.dumps(own, sort_keys=True)
