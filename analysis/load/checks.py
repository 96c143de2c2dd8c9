"""Whether the files of a study say one thing: outcomes are compared with the record before either is used.

    table, outcomes = verified(load_studies([folder]))     # what disagrees is missing, with file and field

A copied, edited or damaged file changes a number without a word otherwise.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rft.scores import COPY, ORIGINALS, rates_of, scores_of

from analysis.load.cells import ACCURACY, Cell, Missing, Table
from analysis.load.outcomes import Greedy, Known, Outcomes, greedy_of, read_greedy, tally_of
from rft.archive.files import present, rows_at
from rft.records import RECORD_FILE, Score
from rft.votes import Tally

TOLERANCE = 1e-9  # of values that were written and read again
PARTS = {COPY: "perturbed", ORIGINALS: "greedy"}  # score -> part of a row


def verified(table: Table) -> tuple[Table, Outcomes]:
    """The cells whose outcomes say what their record says, with these outcomes; the others become missing cells.

    A cell without an outcome file keeps its score, which is then in no paired comparison; the file is listed as unreadable.
    """
    found = Outcomes({}, {})
    known = Known()
    kept, gone = [], []
    for cell in table.cells:
        path = cell.outcomes_path
        if path is None or cell.folder is None:
            kept.append(cell)
        elif not present(path):
            kept.append(cell)
            found.unreadable[cell.folder] = f"{path.name} is absent"
        else:
            try:
                greedy = read_greedy(path, known=known)
                further = _further(cell, path, known=known)
                fault = next(_faults(cell, greedy, further, path), None)
            except (ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, zlib.error) as error:
                fault = f"{path.name} cannot be read: {error or type(error).__name__}"
            if fault is None:
                kept.append(cell)
                found.by_path[path] = greedy
                if further.copies:
                    found.copies[path] = further.copies
                if further.tallies:
                    found.tallies[path] = tuple(further.tallies.values())
            else:
                gone.append(Missing(cell.study, cell.cell_id, f"{cell.folder}: {fault}"))
    return replace(table, cells=tuple(kept), missing=(*table.missing, *gone)), found


@dataclass(frozen=True)
class _Further:
    """What rows hold besides the greedy answers, of cells that have scores of it."""

    tallies: dict[str, Tally]  # votes by problem id
    copies: dict[str, Greedy]  # by score: results on the problems that have a copy


def _further(cell: Cell, path: Path, *, known: Known) -> _Further:
    if not set(cell.scores) - {ACCURACY}:
        return _Further({}, {})
    rows = list(rows_at(path))
    tallies = {row["id"]: tally_of(row["draws"]) for row in rows if row.get("draws")}
    copied = [row for row in rows if "perturbed" in row]
    ids = tuple(row["id"] for row in copied)
    results = {name: "".join(row[part]["outcome"] for row in copied) for name, part in PARTS.items()}
    return _Further(
        {i: known.tallies.setdefault(tally, tally) for i, tally in tallies.items()},
        {name: greedy_of(ids, letters) for name, letters in results.items()} if copied else {},
    )


def _faults(cell: Cell, greedy: Greedy, further: _Further, path: Path) -> Iterator[str]:
    """Fields of the record that the outcomes contradict."""
    n = len(greedy.ids)
    if not n:
        yield f"{path.name} holds no problem"
    if further.tallies and len(further.tallies) < n:
        yield f"{path.name} has draws for {len(further.tallies)} of {n} problems"
    copies = (further.copies[COPY].letters, further.copies[ORIGINALS].letters) if further.copies else None
    found = scores_of(greedy.letters, tallies=further.tallies, copies=copies)
    for name, score in sorted(cell.scores.items()):
        if name in found:
            yield from _compared(name, score, found[name], path)
        else:
            yield f"{RECORD_FILE} has the score {name}, of which {path.name} holds nothing"
    for name, rate in rates_of(greedy.letters).items():
        if name in cell.rates:
            yield from _compared(name, cell.rates[name], rate, path)


def _compared(name: str, said: Score, found: Score, path: Path) -> Iterator[str]:
    for field in ("n", "value", "se"):
        a, b = getattr(said, field), getattr(found, field)
        if abs(a - b) > TOLERANCE:
            yield f"{RECORD_FILE} says {name} {field} = {a:.6g}, {path.name} says {b:.6g}"
