"""Blocks that are tables: results, gains over the matched control, kept paths, bases, the paper's tables, claims.

<!-- generated: quickstart results -->        maj1@1 of every setting, bases in columns
<!-- generated: quickstart gains -->          methods minus SFT at equal steps
<!-- generated: quickstart table table6 -->   any table of analysis.tables.grids by its name
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from analysis.claims.run import claims_table, rulings_table
from analysis.docs.registry import Reference, makes
from analysis.load.cells import Cell, Draw
from analysis.load.labels import setting_label, studied
from analysis.load.names import base_names
from analysis.load.points import Point
from analysis.tables.grids import Grid, paper_tables
from analysis.tables.matched import compared, matched_notes, matched_rows, matched_title
from analysis.tables.noise import noise_notes, noise_rows
from analysis.tables.results import ERROR_NOTE, number


@makes("results")
def results(study: Reference, words: Sequence[str]) -> str:
    """Accuracy of every setting, without columns that say nothing."""
    no_words(words)
    grid = replace(paper_tables(study.table, study.outcomes)["table5"], title="maj1@1, % ± standard error")
    return text_of(shortened(grid), ERROR_NOTE, *study.table.notes)


@makes("table")
def table(study: Reference, words: Sequence[str]) -> str:
    """One of the paper's tables. Raises ValueError for one that the study has no rows for."""
    grids = paper_tables(study.table, study.outcomes)
    if len(words) != 1 or words[0] not in grids:
        raise ValueError(f"{study.folder} has the tables {', '.join(grids)}: name one of them, not {' '.join(words)!r}")
    return text_of(grids[words[0]])


@makes("gains")
def gains(study: Reference, words: Sequence[str]) -> str:
    """Methods against SFT at equal optimiser steps."""
    no_words(words)
    found = compared(study.points, study.outcomes)
    header, rows = matched_rows(found)
    grid = Grid(f"{matched_title(found)}, in points", tuple(header), tuple(map(tuple, rows)))
    return text_of(shortened(grid), *matched_notes(found), *study.table.notes)


@makes("kept")
def kept(study: Reference, words: Sequence[str]) -> str:
    """What RFT and other studied methods added to the human set: examples, draws and paths a question, lucky ones."""
    no_words(words)
    names = base_names(study.table.cells)
    rows = [
        (
            names[point.cell.base],
            setting_label(point.cell),
            _mean(point, "num_augmented", digits=0),
            _mean(point, "correct_per_question", digits=2),
            _mean(point, "distinct_per_question", digits=2),
            _mean(point, "lucky_frac", digits=1, factor=100),
        )
        for point in study.points
        if studied(point.cell)
    ]
    header = ("base", "method", "added", "correct draws/q", "distinct paths/q", "reached by invalid reasoning, %")
    return text_of(shortened(Grid("Added examples", header, tuple(rows))))


@makes("bases")
def bases(study: Reference, words: Sequence[str]) -> str:
    """Size of every base configuration, how many were drawn, and the mean over them of the pretraining loss."""
    no_words(words)
    drawn: dict[str, dict[Draw, Cell]] = {}
    for cell in study.table.cells:
        drawn.setdefault(cell.base, {}).setdefault(cell.draw, cell)
    unit = " or ".join(sorted({cell.loss_unit for cell in study.table.cells}))
    header = ("base", "parameters", "pretraining tokens", "draws", f"loss, {unit}", "on determined tokens")
    rows = [
        (
            name,
            number(first.num_params, digits=0),
            number(first.pretrain_tokens, digits=0),
            str(len(drawn[base])),
            number(_mean_of([cell.loss for cell in drawn[base].values()]), digits=3),
            number(_mean_of([cell.determined_loss_nats for cell in drawn[base].values()]), digits=3),
        )
        for base, name in base_names(study.table.cells).items()
        for first in [next(iter(drawn[base].values()))]
    ]
    return text_of(shortened(Grid("Bases (parameters without embeddings)", header, tuple(rows))))


@makes("claims")
def claims(study: Reference, words: Sequence[str]) -> str:
    """The paper's claims, on the study and as published."""
    no_words(words)
    return "\n".join([claims_table(study.claims), *(["", study.notes] if study.notes else [])])


@makes("rulings")
def rulings(study: Reference, words: Sequence[str]) -> str:
    """The verdicts on the paper's claims in short."""
    no_words(words)
    return rulings_table(study.claims)


@makes("noise")
def noise(study: Reference, words: Sequence[str]) -> str:
    """What each source adds to a result: draws of the base, replicates, problems."""
    no_words(words)
    header, rows = noise_rows(study.shown, study.outcomes)
    if not rows:
        return "One draw and one replicate of each base: no source of noise can be told from another."
    return text_of(shortened(Grid("Where the noise is", header, tuple(map(tuple, rows)))), *noise_notes(rows))


def _mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def _mean(point: Point, name: str, *, digits: int, factor: float = 1.0) -> str:
    value = point.mean_of(name)
    return number(None if value is None else factor * value, digits=digits)


def shortened(grid: Grid) -> Grid:
    """The table without columns that are empty in every row."""
    shown = [i for i in range(len(grid.header)) if any(row[i] for row in grid.rows)]
    rows = tuple(tuple(row[i] for i in shown) for row in grid.rows)
    return Grid(grid.title, tuple(grid.header[i] for i in shown), rows, grid.note)


def text_of(grid: Grid, *notes: str) -> str:
    """Markdown of a table with notes behind it."""
    return "\n".join([grid.markdown().rstrip("\n"), *(text for note in notes for text in ("", note))])


def no_words(words: Sequence[str]) -> None:
    """Raise ValueError for words behind the name of a block that takes none."""
    if words:
        raise ValueError(f"this block takes no further words, got {' '.join(words)!r}")
