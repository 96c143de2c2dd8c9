"""Blocks that are tables: results, gains over the matched control, kept paths, bases, the paper's tables, claims.

<!-- generated: quickstart results -->        maj1@1 of every setting, bases in columns
<!-- generated: quickstart gains -->          methods minus SFT at equal steps
<!-- generated: quickstart table table6 -->   any table of analysis.tables.grids by its name
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.claims.run import claims_table
from analysis.docs.registry import Reference, makes
from analysis.load.labels import setting_label, studied
from analysis.load.names import base_names
from analysis.load.points import Point
from analysis.tables.grids import Grid, paper_tables
from analysis.tables.matched import compared, matched_notes, matched_rows, matched_title
from analysis.tables.results import ERROR_NOTE, number


@makes("results")
def results(study: Reference, words: Sequence[str]) -> str:
    """Accuracy of every setting, without columns that say nothing."""
    no_words(words)
    grid = replace(paper_tables(study.table)["table5"], title="maj1@1, % ± standard error")
    return text_of(shortened(grid), ERROR_NOTE)


@makes("table")
def table(study: Reference, words: Sequence[str]) -> str:
    """One of the paper's tables. Raises ValueError for one that the study has no rows for."""
    grids = paper_tables(study.table)
    if len(words) != 1 or words[0] not in grids:
        raise ValueError(f"{study.folder} has the tables {', '.join(grids)}: name one of them, not {' '.join(words)!r}")
    return text_of(grids[words[0]])


@makes("gains")
def gains(study: Reference, words: Sequence[str]) -> str:
    """Methods against SFT at equal optimiser steps."""
    no_words(words)
    found = compared(study.points, study.outcomes)
    header, rows = matched_rows(study.points, study.outcomes)
    grid = Grid(f"{matched_title(found)}, in points", tuple(header), tuple(map(tuple, rows)))
    return text_of(shortened(grid), *matched_notes(found))


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
    """Size and pretraining loss of every base."""
    no_words(words)
    names = base_names(study.table.cells)
    first = {name: next(c for c in study.table.cells if c.base == base) for base, name in names.items()}
    unit = {cell.loss_unit for cell in first.values()}
    header = ("base", "parameters", "pretraining tokens", f"loss, {' or '.join(sorted(unit))}", "on determined tokens")
    rows = [
        (
            name,
            number(cell.num_params, digits=0),
            number(cell.pretrain_tokens, digits=0),
            number(cell.loss, digits=3),
            number(cell.determined_loss_nats, digits=3),
        )
        for name, cell in first.items()
    ]
    return text_of(shortened(Grid("Bases (parameters without embeddings)", header, tuple(rows))))


@makes("claims")
def claims(study: Reference, words: Sequence[str]) -> str:
    """The paper's claims, on the study and as published."""
    no_words(words)
    return "\n".join([claims_table(study.claims), *(["", study.notes] if study.notes else [])])


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
