"""The sampled solutions of a study for the report's browser: what each cell's `samples.jsonl` shows, thinned to fit a page.

    data = solutions(table.cells, names=names)
    data["cells"][0]      # {"name": "nano-s rft k=4", "total": 128, "rows": [[0, "3*17=51", "correct", "pool", ...]]}

A row: [question's place in data["questions"], text, outcome, source, model, draw, kept (true, false or null), reason].
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.load.cells import DRAW_SEEDS, Base, Cell
from analysis.load.labels import method_label
from analysis.tables.results import also_text, extra_columns
from rft.archive.files import present, rows_at
from rft.records import SHOWN_FILE

MOST_ROWS = 6000  # in one report, about 2 MB
FIELDS = ("text", "outcome", "source", "model", "draw", "kept", "reason")


def solutions(cells: Sequence[Cell], *, names: Mapping[Base, str], most_rows: int = MOST_ROWS) -> dict[str, Any]:
    """Solutions of every cell that has a sample file; `problems` says which could not be read. Plain JSON values."""
    extra = extra_columns(cells)
    quota = max(4, most_rows // max(1, len(cells)))
    questions: dict[tuple[str, str, str], int] = {}
    shown, problems = [], []
    for cell in cells:
        try:
            rows = _rows_of(cell)
        except (ValueError, OSError, EOFError) as error:
            problems.append(f"{cell.cell_id}: {error}")
            continue
        if rows:
            picked = thin(rows, most=quota)
            shown.append(
                {
                    "name": cell_title(cell, names[cell.base], also=also_text(cell, extra)),
                    "total": len(rows),
                    "rows": [_row(r, questions) for r in picked],
                }
            )
    return {
        "fields": ["question", *FIELDS],
        "questions": [list(q) for q in questions],
        "cells": shown,
        "problems": problems,
    }


def _rows_of(cell: Cell) -> list[dict[str, Any]]:
    if cell.folder is None:
        return []
    path: Path = cell.folder / cell.files.get("samples", SHOWN_FILE)
    return list(rows_at(path)) if present(path) else []


def _row(row: Mapping[str, Any], questions: dict[tuple[str, str, str], int]) -> list[Any]:
    key = (str(row.get("id", "")), str(row.get("question", "")), str(row.get("gold", "")))
    return [questions.setdefault(key, len(questions)), *(row.get(field) for field in FIELDS)]


def seeds_text(seeds: Mapping[str, int]) -> str:
    """'draw 3, seed 0' where all are one, else each by name; the draw is that of the base."""
    parts = []
    for word, names in (("draw", DRAW_SEEDS), ("seed", seeds.keys() - DRAW_SEEDS)):
        own = {name: seed for name, seed in seeds.items() if name in names}
        if len(set(own.values())) == 1:
            parts.append(f"{word} {next(iter(own.values()))}")
        else:
            parts += [f"{name} {seed}" for name, seed in own.items()]
    return ", ".join(parts)


def cell_title(cell: Cell, base: str, *, also: str) -> str:
    """'nano-s, RFT k=4, data 0.5, temp 1.3, seed 0'; `also`: what sets it apart besides."""
    words = [base, method_label(cell)]
    if cell.data_frac is not None:
        words.append(f"data {cell.data_frac:g}")
    words += [also] if also else []
    return ", ".join([*words, seeds_text(cell.seeds) or cell.cell_id])


def thin(rows: Sequence[dict[str, Any]], *, most: int) -> list[dict[str, Any]]:
    """At most `most` rows in their order: every kind (source, outcome, kept, reason) gives its first rows in turn."""
    if len(rows) <= most:
        return list(rows)
    kinds: dict[tuple[Any, ...], list[int]] = {}
    for place, row in enumerate(rows):
        kinds.setdefault(tuple(row.get(f) for f in ("source", "outcome", "kept", "reason")), []).append(place)
    turns = itertools.zip_longest(*kinds.values())
    order = [place for turn in turns for place in turn if place is not None]
    return [rows[place] for place in sorted(order[:most])]
