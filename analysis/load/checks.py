"""Whether the files of a study say one thing: outcomes are compared with the record before either is used.

    table, outcomes = verified(load_studies([folder]))     # what disagrees is missing, with file and field

A copied, edited or damaged file changes a number without a word otherwise.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.load.cells import ACCURACY, Cell, Missing, Table
from analysis.load.outcomes import Greedy, Known, Outcomes, read_greedy, tally_of
from rft.archive.files import present, rows_at
from rft.records import RECORD_FILE, Outcome, Score
from rft.votes import pool_scores

TOLERANCE = 1e-9  # of values that were written and read again
RATES = {"no_answer": Outcome.NO_ANSWER, "truncated": Outcome.TRUNCATED}
COPIES = {"maj1@1_perturbed": "perturbed", "maj1@1_originals_of_perturbed": "greedy"}  # score -> part of a row


def verified(table: Table) -> tuple[Table, Outcomes]:
    """The cells whose outcomes say what their record says, with these outcomes; the others become missing cells.

    A cell without an outcome file keeps its score, which is then in no paired comparison; the file is listed as unreadable.
    """
    by_path: dict[Path, Greedy] = {}
    unreadable: dict[Path, str] = {}
    known = Known()
    kept, gone = [], []
    for cell in table.cells:
        path = cell.outcomes_path
        if path is None or cell.folder is None:
            kept.append(cell)
        elif not present(path):
            kept.append(cell)
            unreadable[cell.folder] = f"{path.name} is absent"
        else:
            try:
                greedy = read_greedy(path, known=known)
                fault = next(_faults(cell, greedy, path), None)
            except (ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, zlib.error) as error:
                fault = f"{path.name} cannot be read: {error or type(error).__name__}"
            if fault is None:
                kept.append(cell)
                by_path[path] = greedy
            else:
                gone.append(Missing(cell.study, cell.cell_id, f"{cell.folder}: {fault}"))
    return replace(table, cells=tuple(kept), missing=(*table.missing, *gone)), Outcomes(by_path, unreadable)


def _faults(cell: Cell, greedy: Greedy, path: Path) -> Iterator[str]:
    """Fields of the record that the outcomes contradict."""
    n = len(greedy.ids)
    if not n:
        yield f"{path.name} holds no problem"
    if cell.accuracy is not None:
        yield from _compared(ACCURACY, cell.accuracy, Score.binomial(int(greedy.correct_I.sum()), n), path)
    for name, outcome in RATES.items():
        if name in cell.rates:
            yield from _compared(name, cell.rates[name], Score.binomial(greedy.letters.count(outcome.letter), n), path)
    others = {name for name in cell.scores if name != ACCURACY}
    if others:
        yield from _other_scores(cell, others, list(rows_at(path)), path)


def _other_scores(cell: Cell, names: set[str], rows: list[Mapping[str, Any]], path: Path) -> Iterator[str]:
    found: dict[str, Score] = {}
    tallies = {row["id"]: tally_of(row["draws"]) for row in rows if row.get("draws")}
    if tallies:
        if len(tallies) < len(rows):
            yield f"{path.name} has draws for {len(tallies)} of {len(rows)} problems"
        found |= pool_scores(tallies)
    copied = [row for row in rows if "perturbed" in row]
    if copied:
        for name, part in COPIES.items():
            hits = sum(row[part]["outcome"] == Outcome.CORRECT.letter for row in copied)
            found[name] = Score.binomial(hits, len(copied))
    for name in sorted(names):
        if name not in found:
            yield f"{RECORD_FILE} has the score {name}, of which {path.name} holds nothing"
        else:
            yield from _compared(name, cell.scores[name], found[name], path)


def _compared(name: str, said: Score, found: Score, path: Path) -> Iterator[str]:
    for field in ("n", "value", "se"):
        a, b = getattr(said, field), getattr(found, field)
        if abs(a - b) > TOLERANCE:
            yield f"{RECORD_FILE} says {name} {field} = {a:.6g}, {path.name} says {b:.6g}"
