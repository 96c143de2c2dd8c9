"""Questions: their texts as far as the studies hold them, outcomes of all cells as bytes, and which cells hold which texts.

    found = questions_of(study)
    found.ids[7], found.texts[7]                 # 'w-fa43f252cf47', 'Ida had 35 dollars ...' or None
    outcomes_of(study, found)                    # a byte a cell and problem, block after block

A BLOCK is the cells that were scored on the same problems in the same order. A byte: 1 correct, 2 wrong, 3 no answer,
4 truncated, 0 where the outcomes are not at hand.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from analysis.explore.opened import Opened
from analysis.load.cells import Cell
from rft.archive.files import archive_of, present, rows_at
from rft.records import PATHS_FILE, SHOWN_FILE, Outcome

CODES = {outcome.letter: code for code, outcome in enumerate(Outcome, start=1)}
_TABLE = bytes.maketrans("".join(CODES).encode(), bytes(CODES.values()))
_FIRST_ID = re.compile(rb'^\{"id": ?"((?:[^"\\]|\\.)*)"', re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Cells, by place, that share their problems, by place."""

    problems: list[int]
    cells: list[int]


@dataclass(frozen=True)
class Questions:
    """All questions of all cells: those of test sets first, then those that were sampled."""

    ids: list[str]
    texts: list[str | None]  # None: no study folder here holds it
    golds: list[str | None]
    blocks: list[Block]
    shown: list[list[int]]  # distinct sets of questions of which a cell holds texts
    shown_of: list[int]  # for each cell the place of its set in `shown`

    @cached_property
    def place(self) -> dict[str, int]:
        """The place of a question by its id."""
        return {name: place for place, name in enumerate(self.ids)}

    def to_json(self) -> dict[str, Any]:
        """The document."""
        return {
            "ids": self.ids,
            "texts": self.texts,
            "golds": self.golds,
            "blocks": [{"problems": block.problems, "cells": block.cells} for block in self.blocks],
            "shown": self.shown,
            "shown_of": self.shown_of,
        }


def questions_of(study: Opened) -> Questions:
    """Read which questions the outcome files, sample files and kept paths of all cells name."""
    known = _Known({}, [], [])
    blocks: dict[tuple[str, ...], Block] = {}
    for place, cell in enumerate(study.cells):
        greedy = study.outcomes.get(cell)
        if greedy is None:
            continue
        if greedy.ids not in blocks:
            assert cell.outcomes_path is not None
            for row in rows_at(cell.outcomes_path):
                known.golds[known.add(row["id"])] = row.get("gold")
            blocks[greedy.ids] = Block([known.place[name] for name in greedy.ids], [])
        blocks[greedy.ids].cells.append(place)
    sets: dict[tuple[int, ...], int] = {}
    shown_of = [sets.setdefault(_shown(study, cell, known), len(sets)) for cell in study.cells]
    return Questions(
        list(known.place), known.texts, known.golds, list(blocks.values()), list(map(list, sets)), shown_of
    )


@dataclass
class _Known:
    """Questions as they are met."""

    place: dict[str, int]
    texts: list[str | None]
    golds: list[str | None]

    def add(self, name: str) -> int:
        """Its place, a new one where it is new."""
        if name not in self.place:
            self.place[name] = len(self.texts)
            self.texts.append(None)
            self.golds.append(None)
        return self.place[name]

    def learn(self, row: dict[str, Any]) -> None:
        """What a row of a sample file tells of its question; what is known already stays."""
        place = self.add(str(row["id"]))
        for known, found in ((self.texts, row.get("question")), (self.golds, row.get("gold"))):
            if known[place] is None and isinstance(found, str):
                known[place] = found


def _shown(study: Opened, cell: Cell, known: _Known) -> tuple[int, ...]:
    """Questions of which a cell holds texts. A file that cannot be read holds none; the cell's own page says why."""
    found: set[int] = set()
    for role, name in (("samples", SHOWN_FILE), ("paths", PATHS_FILE)):
        try:
            path = study.file(cell, role, name)
            if present(path):
                found |= {known.add(one) for one in _ids(path, known, learn=role == "samples")}
        except (ValueError, OSError, EOFError, KeyError, TypeError):
            continue
    return tuple(sorted(found))


def _ids(path: Path, known: _Known, *, learn: bool) -> Iterator[str]:
    """Ids of the rows of a file. Of rows that say their question only those of new questions are parsed: files are many."""
    if archive_of(path) is not None:
        yield from _learnt(rows_at(path), known, learn=learn)
        return
    raw = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    names = _FIRST_ID.findall(raw)
    if len(names) != raw.count(b"\n") or any(b"\\" in name for name in names):
        yield from _learnt(rows_at(path), known, learn=learn)
        return
    texts = dict.fromkeys(name.decode() for name in names)
    if learn and any(name not in known.place or known.texts[known.place[name]] is None for name in texts):
        yield from _learnt(rows_at(path), known, learn=True)
    else:
        yield from texts


def _learnt(rows: Iterator[dict[str, Any]], known: _Known, *, learn: bool) -> Iterator[str]:
    for row in rows:
        if learn:
            known.learn(row)
        yield str(row["id"])


def outcomes_of(study: Opened, found: Questions) -> bytes:
    """The greedy outcomes, a byte each: blocks one after the other, of each its cells one after the other."""
    parts = []
    for block in found.blocks:
        for place in block.cells:
            greedy = study.outcomes.get(study.cells[place])
            assert greedy is not None, "a block holds cells with outcomes"
            parts.append(greedy.letters.encode().translate(_TABLE))
    return b"".join(parts)
