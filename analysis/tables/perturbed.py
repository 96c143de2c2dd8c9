"""Has a base model seen the test set? Its accuracy on a numbers-changed copy against the originals of the same problems.

    change = change_of(cells, outcomes)    # Estimate(-2.0, se=1.1, ...) in points: copy minus original, problem by problem
    header, rows = copy_rows(points, names, outcomes)
    rows[0]    # ("llama-7b", "SFT", "1", "", "412", "35.2 ± 2.2", "33.1 ± 2.1", "-2.0 (-4.1 to +0.1)")

A fall on the copy is no proof of having seen the test set (changed numbers can be harder), no fall is no proof of the
opposite; a base that falls more than others of its family is what to look for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from rft.scores import COPY, ORIGINALS

from analysis.load.cells import Base, Cell
from analysis.load.labels import method_label
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import mean_of_units, units_of
from analysis.load.points import PERCENT, Point, score_of
from analysis.stats.uncertainty import Estimate, Kind
from analysis.tables.results import also_text, extra_columns, score_text

HEADER = ("base", "method", "data", "also", "n", "original numbers", "changed numbers", "difference (95 %)")


def change_of(cells: Sequence[Cell], outcomes: Outcomes) -> Estimate:
    """Copy minus original in points, replicates and problems crossed; from the records alone where outcomes are not at hand.

    Replicates share their problems, so that an interval over replicates alone would leave the choice of problems out.
    """
    copies, originals = (outcomes.matrix(cells, name) for name in (COPY, ORIGINALS))
    if copies is not None and originals is not None:  # of the same problems in the same order
        values = copies[1].astype(float) - originals[1]
        return mean_of_units(values, units_of(cells), bounds=(-1.0, 1.0)).scaled(PERCENT)
    known = [cell for cell in cells if cell.perturbed is not None]
    facts = [cell.perturbed for cell in known if cell.perturbed is not None]
    if len(facts) > 1:
        differences = np.array([[fact["difference"]] for fact in facts])
        return mean_of_units(differences, units_of(known)).scaled(PERCENT)
    (fact,) = facts
    n, value, se = fact["num_problems"], fact["difference"], fact["difference_se"]
    return Estimate(value, se, n - 1, 1, n, Kind.ITEMS, reach=1.0 + abs(value)).scaled(PERCENT)


def copy_rows(
    points: Sequence[Point], names: Mapping[Base, str], outcomes: Outcomes
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(header, rows): one row per setting that was scored on a copy, in the order of the points."""
    rows: list[tuple[str, ...]] = []
    extra = extra_columns([point.cell for point in points])
    for point in points:
        cells = [cell for cell in point.cells if cell.perturbed is not None]
        if not cells:
            continue
        sizes = sorted({cell.scores[COPY].n for cell in cells})
        frac = point.cell.data_frac
        rows.append(
            (
                names[point.cell.base],
                method_label(point.cell),
                "" if frac is None else f"{frac:g}",
                also_text(point.cell, extra),
                "-".join(map(str, sizes)),
                *(score_text(score_of(cells, name, outcomes)) for name in (ORIGINALS, COPY)),
                change_text(change_of(cells, outcomes)),
            )
        )
    return HEADER, rows


def change_text(change: Estimate) -> str:
    """'-2.0 (-4.1 to +0.1)'; the change alone where its error is not known."""
    if not math.isfinite(change.half_width()):
        return f"{change.value:+.1f}"
    low, high = change.interval()
    return f"{change.value:+.1f} ({low:+.1f} to {high:+.1f})"
