"""Has a base model seen the test set? Its accuracy on a numbers-changed copy against the originals of the same problems.

    change = change_of(cells)              # Estimate(-2.0, se=1.1, ...) in points: copy minus original, problem by problem
    header, rows = copy_rows(points, names)
    rows[0]    # ("llama-7b", "SFT", "1", "", "412", "35.2 ± 2.2", "33.1 ± 2.1", "-2.0 (-4.1 to +0.1)")

A fall on the copy is no proof of having seen the test set (changed numbers can be harder), no fall is no proof of the
opposite; a base that falls more than others of its family is what to look for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from analysis.load.cells import Base, Cell
from analysis.load.labels import method_label
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import mean_of_units, units_of
from analysis.load.points import PERCENT, Point, score_of
from analysis.stats.uncertainty import Estimate, Kind
from analysis.tables.results import also_text, extra_columns, score_text
from rft.archive.files import present, rows_at
from rft.records import Outcome

COPY, ORIGINALS = "maj1@1_perturbed", "maj1@1_originals_of_perturbed"
NOTHING = Outcomes({}, {})  # these scores have no outcomes of their own
HEADER = ("base", "method", "data", "also", "n", "original numbers", "changed numbers", "difference (95 %)")


def read_changes(cell: Cell) -> dict[str, int] | None:
    """Copy minus original (-1, 0 or 1) by problem id; None when the cell's outcomes are not at hand."""
    path = cell.outcomes_path
    if path is None or not present(path):
        return None
    rows = [row for row in rows_at(path) if "perturbed" in row]
    return {row["id"]: _hit(row["perturbed"]) - _hit(row["greedy"]) for row in rows} or None


def _hit(solution: Mapping[str, str]) -> int:
    return int(solution["outcome"] == Outcome.CORRECT.letter)


def change_of(cells: Sequence[Cell]) -> Estimate:
    """Copy minus original in points, replicates and problems crossed; from the records alone where outcomes are not at hand.

    Replicates share their problems, so that an interval over replicates alone would leave the choice of problems out.
    """
    found = [read_changes(cell) for cell in cells]
    changes = [change for change in found if change is not None]
    shared = [i for i in changes[0] if all(i in other for other in changes)] if changes else []
    if shared and len(changes) == len(found):
        values = np.array([[change[i] for i in shared] for change in changes], float)
        return mean_of_units(values, units_of(cells), bounds=(-1.0, 1.0)).scaled(PERCENT)
    known = [cell for cell in cells if cell.perturbed is not None]
    facts = [cell.perturbed for cell in known if cell.perturbed is not None]
    if len(facts) > 1:
        differences = np.array([[fact["difference"]] for fact in facts])
        return mean_of_units(differences, units_of(known)).scaled(PERCENT)
    (fact,) = facts
    n, value, se = fact["num_problems"], fact["difference"], fact["difference_se"]
    return Estimate(value, se, n - 1, 1, n, Kind.ITEMS, reach=1.0 + abs(value)).scaled(PERCENT)


def copy_rows(points: Sequence[Point], names: Mapping[Base, str]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
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
                *(score_text(score_of(cells, name, NOTHING)) for name in (ORIGINALS, COPY)),
                change_text(change_of(cells)),
            )
        )
    return HEADER, rows


def change_text(change: Estimate) -> str:
    """'-2.0 (-4.1 to +0.1)'; the change alone where its error is not known."""
    if not math.isfinite(change.half_width()):
        return f"{change.value:+.1f}"
    low, high = change.interval()
    return f"{change.value:+.1f} ({low:+.1f} to {high:+.1f})"
