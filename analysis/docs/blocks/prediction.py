"""Blocks of predictions: held-out cells with their rivals, scores, and how far one may go; and the figure.

<!-- generated: every prediction -->                  the published study, then each committed one
<!-- generated: published prediction_figure -->       docs/prediction.png
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.docs.blocks.tables import no_words, shortened, text_of
from analysis.docs.registry import Picture, Reference, makes
from analysis.predict.figure import prediction_figure
from analysis.predict.report import tables
from analysis.predict.rows import every_row
from analysis.stats.linear import NotEnough


@makes("prediction")
def prediction(study: Reference, words: Sequence[str]) -> str:
    """Tables of every cut."""
    no_words(words)
    rows = every_row(study.shown, study.outcomes)
    if not rows:
        return "No two settings differ in model, data or k alone: nothing can be predicted."
    found = tables(rows, study.shown, study.outcomes)
    grids = [shortened(grid) for grid in (found.held, found.scores, found.reach) if grid.rows]
    notes = [study.notes] if study.notes else []
    return "\n\n".join([*notes, *(text_of(grid) for grid in grids), found.refusals])


@makes("prediction_figure")
def figure(study: Reference, words: Sequence[str]) -> Picture:
    """Predictions before the truth. Raises ValueError where nothing could be predicted."""
    no_words(words)
    drawing = prediction_figure(every_row(study.shown, study.outcomes))
    if isinstance(drawing, NotEnough):
        raise ValueError(str(drawing))
    return Picture(drawing, study.folder.name)
