"""The fitted cells of a series as predictions see them: of one base its draws are the same everywhere, and cancel.

    seen = seen_of(used, AXES["data_frac"], beside=[held])      # Seen.unit: what a draw does to one amount and not to all
    seen = seen_of(used, AXES["model"])                         # of models: all that a draw does

A base that came out of pretraining well does better with every amount of data and every k. Where all settings of a series
are of the same draws, a larger one is predicted for those draws: what moves all settings of a draw together is in none of the
prediction's errors, and the scatter of draws that counts is their interaction with the settings (the mean square of a
two-way table of draws and settings without replication, of the draws' means over their replicates).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.load.points import PERCENT, Point
from analysis.predict.axes import Axis
from analysis.stats.prediction import Seen


def seen_of(used: Sequence[Point], axis: Axis, *, beside: Sequence[Point] = ()) -> list[Seen]:
    """The settings that are fitted; `beside`: those that are predicted, of which nothing but their draws is read."""
    seen = [Seen.of(axis.coordinate(point) or 0.0, point.estimate) for point in used]
    own = None if axis.of_models else _interaction(used, beside)
    return seen if own is None else [replace(cell, unit=min(cell.unit, own)) for cell in seen]


def _interaction(used: Sequence[Point], beside: Sequence[Point]) -> float | None:
    """Variance of one draw's deviation in one setting, squared points; None where the settings are not of the same draws."""
    rows = [{cells[0].draw: [c.accuracy for c in cells] for cells in point.draws} for point in used]
    draws = set(rows[0]) if rows else set()
    same = all(set(row) == draws for row in rows) and all(
        {cells[0].draw for cells in point.draws} == draws for point in beside
    )
    if not same or len(draws) < 2 or len(rows) < 2:
        return None
    table_SD = np.array([[np.mean([a.value for a in row[d] if a is not None]) for d in sorted(draws)] for row in rows])
    rest = table_SD - table_SD.mean(axis=0) - table_SD.mean(axis=1, keepdims=True) + table_SD.mean()
    return float(PERCENT**2 * (rest**2).sum() / ((len(rows) - 1) * (len(draws) - 1)))
