"""Tables as text: what a study run prints at its end, and the flat CSV of all records.

print(results_table(table))
records_csv(table)
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from analysis.records import Cell, Table, base_names
from rft.records import Score


def results_table(table: Table) -> str:
    """One row per cell (accuracy ± standard error in percent, n) and the missing cells with their reasons."""
    names = base_names(table.cells)
    voted = sorted({name for cell in table.cells for name in cell.scores if name != "maj1@1"}, key=_score_order)
    header = ["base", "method", "data", "human", "k", "seed", "maj1@1 [%]"]
    header += [*(f"{name} [%]" for name in voted), "n", "added", "distinct/q"]
    rows = [
        _row(cell, name=names[cell.base], voted=voted)
        for cell in sorted(table.cells, key=lambda c: _order(c, list(names)))
    ]
    lines = [align(header, rows)] if rows else ["no finished cell"]
    if rows:
        lines.append("± is the standard error over test problems (item noise only; it holds no seed-to-seed variance).")
    if table.missing:
        lines.append(f"\n{len(table.missing)} cells are missing and left out of every fit (a missing cell is never 0):")
        lines += [f"  {gap.cell_id}: {gap.reason}" for gap in table.missing]
    return "\n".join(lines)


def _order(cell: Cell, bases: list[Any]) -> tuple[Any, ...]:
    return (
        cell.data,
        bases.index(cell.base),
        cell.data_frac or 0,
        cell.method,
        cell.union,
        cell.k or 0,
        cell.seed or 0,
    )


def _score_order(name: str) -> tuple[str, int]:
    head, _, tail = name.partition("@")
    return head, int(tail) if tail.isdigit() else 0


def _row(cell: Cell, *, name: str, voted: Sequence[str]) -> list[str]:
    method = cell.method + ("" if not cell.union else " U" + str(len(cell.union)))
    score = cell.accuracy
    return [
        name,
        method,
        "" if cell.data_frac is None else f"{cell.data_frac:g}",
        number(cell.num_human, digits=0),
        "" if cell.k is None else str(cell.k),
        "" if cell.seed is None else str(cell.seed),
        percent(score),
        *(percent(cell.scores.get(other)) for other in voted),
        "" if score is None else str(score.n),
        number(cell.num_augmented, digits=0),
        number(cell.distinct_per_question, digits=2),
    ]


def percent(score: Score | None) -> str:
    """'41.2 ± 1.4'."""
    return "" if score is None else f"{100 * score.value:.1f} ± {100 * score.se:.1f}"


def number(value: float | None, *, digits: int) -> str:
    """A number, or nothing when it is unknown."""
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def align(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded with spaces; columns empty in every row are left out."""
    kept = [i for i in range(len(header)) if any(row[i] for row in rows)]
    widths = [max(len(header[i]), *(len(row[i]) for row in rows)) for i in kept]
    grid = [[header[i] for i in kept], ["-" * w for w in widths], *([row[i] for i in kept] for row in rows)]
    left = 2  # words to the left, numbers to the right
    lines = []
    for row in grid:
        cells = [
            text.ljust(w) if i < left else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def records_csv(table: Table) -> str:
    """All cells, one row each: swept values, model, data, scores with n and error, seconds, FLOPs. Fractions."""
    plain = [
        n
        for n in Cell.__dataclass_fields__
        if n not in ("scores", "rates", "cost", "provenance", "files", "folder", "union")
    ]
    scores = sorted({name for cell in table.cells for name in cell.scores}, key=_score_order)
    rates = sorted({name for cell in table.cells for name in cell.rates})
    columns = [*plain, "union", "seconds", "flops"]
    for name in [*scores, *rates]:
        columns += [name, f"{name} n", f"{name} se"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for cell in table.cells:
        values = [getattr(cell, name) for name in plain] + ["+".join(cell.union), cell.seconds, cell.flops]
        for score in [*(cell.scores.get(n) for n in scores), *(cell.rates.get(n) for n in rates)]:
            values += ["", "", ""] if score is None else [score.value, score.n, score.se]
        writer.writerow(["" if value is None else value for value in values])
    return out.getvalue()
