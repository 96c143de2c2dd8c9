"""Per-problem outcomes of cells: greedy right or wrong as a matrix joined by problem id, and the sampled draws.

    outcomes = load_outcomes(table.cells)
    ids, correct_CI = outcomes.matrix(cells)      # C cells by I problems that all of them were scored on, in one order
    draws = read_draws(cell)                      # [Draws(num_draws=16, num_correct=9, wrong=(4, 1)), ...] or None

A row of `outcomes.jsonl.gz`:
    {"id": "t-00f1", "gold": "51", "greedy": {"outcome": "C", "answer": "51"},
     "draws": {"outcomes": "CWN", "answers": ["51", "50", null], "paths": [0, 1, null]}}
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.records import Cell
from rft.records import OUTCOMES_FILE, Outcome, read_jsonl

# Quotes inside JSON strings are escaped, so these patterns cannot match inside an answer or an id.
_ID = re.compile(rb'"id": ?"((?:[^"\\]|\\.)*)"')
_GREEDY = re.compile(rb'"greedy": ?\{"outcome": ?"([CWNT])"')


@dataclass(frozen=True)
class Greedy:
    """Greedy results of one cell: ids and, in the same order, whether each is right."""

    ids: tuple[str, ...]
    correct_I: NDArray[np.bool_]


@dataclass(frozen=True)
class Outcomes:
    """Greedy results of many cells, by cell folder."""

    by_folder: dict[Path, Greedy]
    unreadable: dict[Path, str]  # why a cell's outcomes could not be read: its score still stands

    def get(self, cell: Cell) -> Greedy | None:
        """The results of one cell; None for published cells and where the file is absent or unreadable."""
        return None if cell.folder is None else self.by_folder.get(cell.folder)

    def matrix(self, cells: Sequence[Cell]) -> tuple[tuple[str, ...], NDArray[np.bool_]] | None:
        """Ids and right/wrong [C, I] on the problems that all `cells` share; None when there are none."""
        found = [self.get(cell) for cell in cells]
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


def load_outcomes(cells: Iterable[Cell]) -> Outcomes:
    """Read the greedy outcomes of all cells that have them. Identical id lists are stored once."""
    by_folder: dict[Path, Greedy] = {}
    unreadable: dict[Path, str] = {}
    known: dict[tuple[str, ...] | bytes, tuple[str, ...]] = {}
    for cell in cells:
        if cell.folder is None:
            continue
        path = cell.folder / cell.files.get("outcomes", OUTCOMES_FILE)
        try:
            by_folder[cell.folder] = read_greedy(path, known=known)
        except FileNotFoundError:
            unreadable[cell.folder] = f"{path.name} is absent"
        except (ValueError, OSError, EOFError, KeyError) as error:
            unreadable[cell.folder] = f"{path.name}: {error}"
    return Outcomes(by_folder, unreadable)


def read_greedy(path: Path, *, known: dict[tuple[str, ...] | bytes, tuple[str, ...]] | None = None) -> Greedy:
    """One file's greedy results. Raises ValueError when a problem stands twice or a row has no greedy outcome."""
    raw = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    ids, letters = _ID.findall(raw), _GREEDY.findall(raw)
    if not len(ids) == len(letters) == raw.count(b"\n") or b"\\" in b"".join(ids):
        return _read_slowly(path)
    key = b"\n".join(ids)
    names = None if known is None else known.get(key)
    if names is None:
        names = tuple(i.decode() for i in ids)
        _refuse_repeats(path, names)
        if known is not None:
            known[key] = names
    correct = np.frombuffer(b"".join(letters), np.uint8) == ord(Outcome.CORRECT.letter)
    return Greedy(names, correct)


def _read_slowly(path: Path) -> Greedy:
    """The same by the JSON parser: for files that another writer laid out otherwise."""
    rows = list(read_jsonl(path))
    for row in rows:
        if "greedy" not in row:
            raise ValueError(f"{path}: problem {row.get('id')!r} has no greedy outcome")
    names = tuple(row["id"] for row in rows)
    _refuse_repeats(path, names)
    right = [Outcome.from_letter(row["greedy"]["outcome"]) is Outcome.CORRECT for row in rows]
    return Greedy(names, np.array(right, bool))


def _refuse_repeats(path: Path, names: tuple[str, ...]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: problem {Counter(names).most_common(1)[0][0]!r} stands in it more than once")


@dataclass(frozen=True)
class Draws:
    """What the draws of one problem answered, as counts: enough for exact pass@k and maj@k."""

    num_draws: int
    num_correct: int
    wrong: tuple[int, ...]  # votes for each wrong answer, most first; draws without an answer vote for nothing


def read_draws(cell: Cell) -> dict[str, Draws] | None:
    """Vote counts by problem id, None when the cell did not vote."""
    if cell.folder is None:
        return None
    path = cell.folder / cell.files.get("outcomes", OUTCOMES_FILE)
    if not path.is_file():
        return None
    found = {row["id"]: _count(row["draws"]) for row in read_jsonl(path) if row.get("draws")}
    return found or None


def _count(draws: dict[str, list[str | None]]) -> Draws:
    letters, answers = draws["outcomes"], draws["answers"]
    right = sum(letter == Outcome.CORRECT.letter for letter in letters)
    voted = (
        answer
        for letter, answer in zip(letters, answers, strict=True)
        if letter == Outcome.WRONG.letter and answer is not None
    )
    return Draws(len(letters), right, tuple(sorted(Counter(voted).values(), reverse=True)))


@dataclass(frozen=True)
class PathDraws:
    """How often each distinct equation list came up among the draws of one problem: enough for exact distinct@k."""

    num_draws: int
    times: tuple[int, ...]  # draws of each list; draws without equations belong to none


def read_path_draws(cell: Cell) -> dict[str, PathDraws] | None:
    """Path counts by problem id; None when the cell did not vote or its draws name no paths."""
    path = cell.folder / cell.files.get("outcomes", OUTCOMES_FILE) if cell.folder is not None else None
    if path is None or not path.is_file():
        return None
    found = {}
    for row in read_jsonl(path):
        paths = (row.get("draws") or {}).get("paths")
        if paths is None:
            return None
        found[row["id"]] = PathDraws(len(paths), tuple(Counter(p for p in paths if p is not None).values()))
    return found or None
