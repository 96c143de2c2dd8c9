"""Predictions as tables: what was predicted and what was measured, scores against plain rivals, and how far one may go.

tables(rows, points, outcomes)       # Tables(held=Grid, scores=Grid, reach=Grid)
report(rows, points, outcomes)       # all of it as text for a terminal
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.compare.fits import CEILING, FLOOR, keep_measurable
from analysis.load.names import counted, short_number, value_text
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.predict.axes import AXES, Series, draws_words, kin, series_of
from analysis.predict.paired import seen_of
from analysis.predict.rivals import LARGEST, LOG_LINEAR, PARAMETERS, RIVALS
from analysis.predict.rows import TWO_STEP, Row, Score, scores
from analysis.stats.linear import NotEnough
from analysis.stats.prediction import CANNOT, FARTHEST, FEWEST, WIDEST, farthest
from analysis.tables.grids import Grid
from analysis.tables.results import align, wrap

COLUMNS = (
    "series", "held out", "size", "fitted", "form", "predicted", "95 %", "fit, bases, items, form", "measured", "error",
    TWO_STEP, *RIVALS, CANNOT,
)  # fmt: skip
SCORE_COLUMNS = ("axis", "held out", "predictor", "cells", "bias", "mean error", "RMSE", "inside 95 %")
NOTE = (
    "Error: predicted minus measured, in points. Fitted: settings of the rest of the series, without those below "
    f"{FLOOR:g} % or above {CEILING:g} % (as '2 of 3'), which no line holds. The form is chosen by AICc on the fitted "
    "settings alone (line, power law to a ceiling, sigmoid; the line stands until another is better by 2, and below five "
    "settings). 95 %: interval for what the cell will measure; beside it the standard errors that it is made of: the curve's "
    "own, scatter over bases and draws, test problems, and the distance to a form that fits as well. Of data and k, on the "
    "draws of the base that all settings of a series have: what a draw does to all of them alike is no error; the scatter "
    "about a curve of few settings is that of all bases with such a series. In brackets: no prediction, for the reason in "
    "the last column."
)
SCORE_NOTE = (
    "Each predictor on the held-out cells that the fitted ones allow to predict; cells of one series share their fits, so "
    "that counts are no independent trials. Refused, had they been given: the same one step where it is said not to be "
    "predicted."
)
LIMITS = (
    f"At most {FARTHEST:g} times the range of the fitted settings beyond them, in loss or in doublings; at least {FEWEST} "
    f"fitted settings; at most {WIDEST:g} points of a 95 % interval."
)
WHAT = {
    TWO_STEP: "two steps: compute to loss to accuracy",
    LARGEST: "largest seen value",
    PARAMETERS: "parameter count in place of loss",
    LOG_LINEAR: "log-linear, no loss",
}
REFUSED = "refused, had they been given"


@dataclass(frozen=True)
class Tables:
    """What is shown of predictions."""

    held: Grid
    scores: Grid
    reach: Grid
    refusals: str  # how many held-out cells are not predicted, and why; which settings stand in no series


def tables(rows: Sequence[Row], points: Sequence[Point], outcomes: Outcomes) -> Tables:
    """`rows`: of every cut, of which the first alone is shown cell by cell, or of one named hold-out."""
    first = [row for row in rows if row.num_held == 1] or list(rows)
    return Tables(
        Grid("Held-out cells, % maj1@1", COLUMNS, tuple(_row(row) for row in first), NOTE + _apart_note(first)),
        Grid("Error of predictions, in points", SCORE_COLUMNS, tuple(_score_rows(rows)), SCORE_NOTE),
        Grid(
            "How far all settings of a series allow to go",
            ("series", "settings", "up to"),
            tuple(_reach(points, outcomes)),
            LIMITS,
        ),
        " ".join([_refusals(rows), *_left_out(points, outcomes)]),
    )


def report(rows: Sequence[Row], points: Sequence[Point], outcomes: Outcomes, *, about: str = "") -> str:
    """The tables as text."""
    found = tables(rows, points, outcomes)
    lines = [wrap(about), ""] if about else []
    for grid in (found.held, found.scores, found.reach):
        if grid.rows:
            lines += [grid.title, align(list(grid.header), [list(row) for row in grid.rows]), wrap(grid.note), ""]
    return "\n".join([*lines, wrap(found.refusals)])


def _row(row: Row) -> tuple[str, ...]:
    one, truth = row.prediction, row.truth
    head = (row.series.label, row.name, f"{row.ratio:.2g}x", _of(len(row.fitted), left_out=len(row.left_out)))
    measured = _missing(row) if truth is None else f"{truth:.1f}"
    if isinstance(one, NotEnough):
        return (*head, "", "", "", "", measured, *[""] * 5, one.reason)
    parts = ", ".join(f"{part:.1f}" for part in (one.parts.fit, one.parts.bases, one.parts.items, one.parts.form))
    said = f"({one.value:.1f})" if one.refused else f"{one.value:.1f}"
    error = "" if truth is None or one.refused else f"{one.value - truth:+.1f}"
    others = [row.rivals[name] for name in RIVALS]
    return (
        *head, one.form, said, f"{one.low:.1f} to {one.high:.1f}", parts, measured, error,
        "" if row.two_step is None else f"{row.two_step.value:.1f}",
        *("" if value is None else f"{value:.1f}" for value in others), one.refused,
    )  # fmt: skip


def _missing(row: Row) -> str:
    """Why no measured value stands beside a prediction."""
    return "not yet" if row.apart is None else f"left out: {counted(len(row.apart.draws), 'draw')}"


def _apart_note(rows: Sequence[Row]) -> str:
    """What 'left out' means, where a row says so; '' elsewhere."""
    note = (
        " Left out: measured, but in draws of the base that would take most others from the fitted settings; see below."
    )
    return note if any(row.apart is not None for row in rows) else ""


def _of(settings: int, *, left_out: int) -> str:
    """How many settings are fitted, and of how many where that differs."""
    return f"{settings - left_out} of {settings}" if left_out else str(settings)


def _score_rows(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    found = []
    for axis in dict.fromkeys(row.series.axis.name for row in rows):
        mine = [row for row in rows if row.series.axis.name == axis]
        first = [row for row in mine if row.num_held == 1]
        cuts = {"the largest": first, "every cut": mine} if len(first) < len(mine) else {"": mine}
        for name, cut in cuts.items():
            found += [_score_row(axis, name, what, score) for what, score in scores(cut).items()]
            found += [_score_row(axis, name, REFUSED, score) for score in scores(cut, refused=True).values()]
    return found


def _score_row(axis: str, cut: str, what: str, score: Score) -> tuple[str, ...]:
    inside = "" if score.covered is None else f"{score.covered} of {score.n}"
    numbers = (f"{score.bias:+.1f}", f"{score.mean_error:.1f}", f"{score.rmse:.1f}")
    return (axis, cut, WHAT.get(what, what), str(score.n), *numbers, inside)


def _reach(points: Sequence[Point], outcomes: Outcomes) -> list[tuple[str, ...]]:
    return [
        (
            series.label,
            _of(len(series.points), left_out=len(keep_measurable(series.points)[1])),
            _how_far(series, found),
        )
        for found in (series_of(points, outcomes, axis=axis) for axis in AXES.values())
        for series in found
    ]


def _how_far(series: Series, among: Sequence[Series]) -> str:
    used, _ = keep_measurable(series.points)
    axis = series.axis
    seen = seen_of(used, axis)
    others = [keep_measurable(other.points)[0] for other in kin(series, among) if other is not series]
    items = max((p.cell.accuracy.n for p in used if p.cell.accuracy is not None), default=1)
    units = max((p.estimate.num_units for p in used), default=1) or 1
    end = farthest(seen, num_items=items, num_units=units, kin=[seen_of(points, axis) for points in others])
    if isinstance(end, NotEnough):
        return f"{CANNOT}: {end.reason}"
    last = max(cell.u for cell in seen)
    if axis.of_models:
        return f"loss {-end:.2f} (least seen {-last:.2f})"
    return f"{2 ** (end - last):.2g} times the largest {axis.name} ({short_number(2**last)})"


def _refusals(rows: Sequence[Row]) -> str:
    gone = Counter(_kind(row) for row in rows if row.refused)
    if not gone:
        return f"All {len(rows)} held-out cells are predicted."
    parts = "; ".join(f"{count} for {kind}" for kind, count in gone.most_common())
    return f"Of {len(rows)} held-out cells {sum(gone.values())} {CANNOT}: {parts}."


def _left_out(points: Sequence[Point], outcomes: Outcomes) -> list[str]:
    return [text for axis in AXES.values() for s in series_of(points, outcomes, axis=axis) for text in _aside(s)]


def _aside(series: Series) -> list[str]:
    """Which settings stand aside of a series, and which draws of its own settings are in none of its numbers."""
    shared, name = draws_words(series.points[0].cells), series.axis.name
    lines = [
        f"Left out of {series.label}: {name} = {value_text(series.axis.size(point))}, run in {draws_words(point.cells)}, "
        f"where the others have {shared} in common."
        for point in series.apart
    ]
    if series.dropped:
        lines.append(
            f"Left out of {series.label}: {draws_words(series.dropped)} that not all of {name} = {', '.join(series.names)} "
            "have."
        )
    return lines


def _kind(row: Row) -> str:
    if isinstance(row.prediction, NotEnough):
        return f"fewer than {FEWEST} fitted settings"
    return "their distance" if row.prediction.reach > FARTHEST else f"an interval wider than {WIDEST:g} points"
