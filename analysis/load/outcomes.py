"""Per-problem outcomes of cells: right or wrong as a matrix joined by problem id, and the sampled draws.

    table, outcomes = verified(load_studies([folder]))      # analysis.load.checks
    ids, correct_CI = outcomes.matrix(cells)      # C cells by I problems that all of them were scored on, in one order
    draws = outcomes.draws(cell)                  # {"t-00f1": Tally(num_draws=16, num_correct=9, rivals=(4, 1)), ...} or None

A row of `outcomes.jsonl.gz`:
    {"id": "t-00f1", "gold": "51", "greedy": {"outcome": "C", "answer": "51"},
     "draws": {"outcomes": "CWN", "answers": ["51", "50", null], "rivals": [null, 0, null], "paths": [0, 1, null]}}
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.load.cells import ACCURACY, Cell
from rft.archive.files import archive_of, present, rows_at
from rft.records import Outcome
from rft.votes import Tally

# Rows as this project writes them. Quotes inside JSON strings are escaped, so these cannot stand inside an answer or an id.
_ROW = b'\n{"id": "'
_GREEDY = b'"greedy": {"outcome": "'
_LETTERS = "".join(outcome.letter for outcome in Outcome).encode("ascii")


@dataclass
class Known:
    """Lists of ids and votes that were read, each once: the files of a study mostly have the same."""

    by_key: dict[tuple[str, ...] | bytes, tuple[str, ...]] = field(default_factory=dict)
    tallies: dict[Tally, Tally] = field(default_factory=dict)  # equal votes, each once
    starts: dict[int, tuple[list[bytes], tuple[str, ...]]] = field(default_factory=dict)  # of rows, by their number


@dataclass(frozen=True)
class Greedy:
    """Results of one cell, one answer a problem: ids and, in the same order, whether each is right."""

    ids: tuple[str, ...]
    letters: str  # one outcome letter a problem
    correct_I: NDArray[np.bool_]


@dataclass(frozen=True)
class Outcomes:
    """Results of many cells, by outcome file: a cell has one for each of its test sets."""

    by_path: dict[Path, Greedy]
    unreadable: dict[Path, str]  # why a cell's outcomes could not be read: its score still stands
    copies: dict[Path, dict[str, Greedy]] = field(default_factory=dict)  # by score: on changed numbers, and originals
    tallies: dict[Path, tuple[Tally, ...]] = field(default_factory=dict)  # votes on the problems, as `by_path` has them

    def get(self, cell: Cell, score: str = ACCURACY) -> Greedy | None:
        """The results of one cell under a score of single answers; None for published cells and where none is at hand."""
        path = cell.outcomes_path
        if path is None:
            return None
        return self.by_path.get(path) if score == ACCURACY else self.copies.get(path, {}).get(score)

    def draws(self, cell: Cell) -> dict[str, Tally] | None:
        """Votes by problem id; None where the cell did not vote, or its votes are not at hand."""
        greedy, path = self.get(cell), cell.outcomes_path
        if greedy is None or path is None or path not in self.tallies:
            return None
        return dict(zip(greedy.ids, self.tallies[path], strict=True))

    def matrix(self, cells: Sequence[Cell], score: str = ACCURACY) -> tuple[tuple[str, ...], NDArray[np.bool_]] | None:
        """Ids and right/wrong [C, I] on the problems that all `cells` share; None when there are none."""
        found = [self.get(cell, score) for cell in cells]
        rows = [greedy for greedy in found if greedy is not None]
        if not rows or len(rows) < len(found):
            return None
        first = rows[0].ids
        if all(row.ids is first or row.ids == first for row in rows):
            return first, np.stack([row.correct_I for row in rows])
        shared = set(first).intersection(*(row.ids for row in rows[1:]))
        ids = tuple(i for i in first if i in shared)
        if not ids:
            return None
        return ids, np.stack([_pick(row, ids) for row in rows])


def _pick(row: Greedy, ids: tuple[str, ...]) -> NDArray[np.bool_]:
    place = {problem: i for i, problem in enumerate(row.ids)}
    return row.correct_I[[place[problem] for problem in ids]]


def read_greedy(path: Path, *, known: Known | None = None) -> Greedy:
    """One file's greedy results. Raises ValueError when a problem stands twice or a row has no greedy outcome."""
    if archive_of(path) is not None:
        return _read_slowly(path, known=known)
    raw = _bytes_of(path)
    rows, letters = raw.removeprefix(_ROW[1:]).split(_ROW), _letters(raw)
    if letters is None or not raw.startswith(_ROW[1:]) or not len(rows) == len(letters) == raw.count(b"\n"):
        return _read_slowly(path, known=known)
    starts, names = ([], ()) if known is None else known.starts.get(len(rows), ([], ()))
    if not (starts and all(map(bytes.startswith, rows, starts))):
        ids = [row.partition(b'"')[0] for row in rows]
        key = b"\n".join(ids)
        if b"\\" in key:
            return _read_slowly(path, known=known)
        names = _checked(path, tuple(i.decode() for i in ids), key=key, known=known)
        if known is not None:
            known.starts[len(rows)] = [i + b'"' for i in ids], names
    return greedy_of(names, letters.decode("ascii"))


def _letters(raw: bytes) -> bytes | None:
    """The greedy outcomes of rows as this project writes them; None where one is laid out otherwise."""
    pairs = b"".join([part[:2] for part in raw.split(_GREEDY)[1:]])
    letters = pairs[::2]
    return None if letters.strip(_LETTERS) or pairs[1::2].strip(b'"') else letters


def _checked(
    path: Path, names: tuple[str, ...], *, key: tuple[str, ...] | bytes, known: Known | None
) -> tuple[str, ...]:
    """The ids, as the one tuple that all files with these ids share."""
    if known is not None and key in known.by_key:
        return known.by_key[key]
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: problem {Counter(names).most_common(1)[0][0]!r} stands in it more than once")
    if known is not None:
        known.by_key[key] = names
    return names


def greedy_of(names: tuple[str, ...], letters: str) -> Greedy:
    """Results from an outcome letter a problem."""
    correct_I = np.frombuffer(letters.encode("ascii"), np.uint8) == ord(Outcome.CORRECT.letter)
    return Greedy(names, letters, correct_I)


def _read_slowly(path: Path, *, known: Known | None) -> Greedy:
    """The same by the JSON parser: for archives, and for files that another writer laid out otherwise."""
    rows = list(rows_at(path))
    for row in rows:
        if "greedy" not in row:
            raise ValueError(f"{path}: problem {row.get('id')!r} has no greedy outcome")
    ids = tuple(row["id"] for row in rows)
    names = _checked(path, ids, key=ids, known=known)
    letters = [row["greedy"]["outcome"] for row in rows]
    for letter in set(letters):
        Outcome.from_letter(letter)  # refuses what is none
    return greedy_of(names, "".join(letters))


def _bytes_of(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.name.endswith(".gz") else raw


def tally_of(draws: Mapping[str, Any]) -> Tally:
    """The votes of one problem's draws."""
    return Tally.of(draws["outcomes"], draws["rivals"])


@dataclass(frozen=True)
class PathDraws:
    """How often each distinct equation list came up among the draws of one problem: enough for exact distinct@k."""

    num_draws: int
    times: tuple[int, ...]  # draws of each list; draws without equations belong to none


def read_path_draws(cell: Cell) -> dict[str, PathDraws] | None:
    """Path counts by problem id; None when the cell did not vote or its draws name no paths."""
    path = cell.outcomes_path
    if path is None or not present(path):
        return None
    found = {}
    for row in rows_at(path):
        paths = (row.get("draws") or {}).get("paths")
        if paths is None:
            return None
        found[row["id"]] = PathDraws(len(paths), tuple(Counter(p for p in paths if p is not None).values()))
    return found or None
