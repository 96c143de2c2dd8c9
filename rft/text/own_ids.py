"""Ids that the rows of a data file have of their own, by which a pool drawn elsewhere may call a question.

    >>> rows = [("line 1", {"uid": 7, "question": "Half of 48?", "answer": "#### 24"}),
    ...         ("line 2", {"uid": "8b", "question": "Half of 6?", "answer": "#### 3"})]
    >>> own_ids(rows, ReadAs(), name="mine.jsonl", column="uid")
    {'7': 'half of 48', '8b': 'half of 6'}
    >>> obvious_columns({"idx": 3, "question": "Half of 48?"})
    ['idx']

7, 7.0 and "7" are one id, "07" is another. An id names one question, which stands here in the form in which repeated ones
are found (rft.text.overlap): of rows that word it otherwise, one alone becomes a problem. A question may have several ids,
as when each of its solutions has a row with an id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from rft.text.foreign_rows import id_text
from rft.text.gsm8k import ReadAs, adapter_of, problem_of
from rft.text.overlap import normalise
from rft.text.rowmap import value_at
from rft.text.rows import BadGold, Row

OBVIOUS = (
    "id",
    "ID",
    "idx",
    "doc_id",
    "problem_id",
    "question_id",
    "unique_id",
)  # columns that are ids where one is there


def obvious_columns(first: Row) -> list[str]:
    """The fields of a row that are called as ids are."""
    return [name for name in OBVIOUS if name in first]


def own_ids(rows: Iterable[tuple[str, Row]], how: ReadAs, *, name: str, column: str) -> dict[str, str]:
    """Questions, in their normal form, by the ids that rows have in a column (a path as those of an adapter).

    Raises ValueError, with the place, for a row without an id or with one that is no text or whole number, for an id that
    two questions have, and for one that is this project's id of another question.
    """
    found: dict[str, str] = {}
    placed: dict[str, str] = {}  # own id -> where it stands first
    taken: dict[str, str] = {}  # this project's id of a question -> its form
    convert = None
    for place, row in islice(rows, how.limit):
        try:
            convert = convert or adapter_of(
                None if how.row_map is None else how.row_map.parts, row, numbers=how.numbers
            )
            problem = problem_of(convert(row), numbers=how.numbers)
            own = _id_of(row, column)
        except BadGold:
            continue  # refused or left out by those who read the problems
        except ValueError as error:
            raise ValueError(f"{name}: {place} {error}") from None
        known = taken[problem.id] = normalise(problem.question)
        if found.setdefault(own, known) != known:
            raise ValueError(f"{name}: {place} has the id {own!r}, which {placed[own]} has too, for another question")
        placed.setdefault(own, place)
    for own, known in found.items():
        if taken.get(own, known) != known:
            raise ValueError(
                f"{name}: {placed[own]} has the id {own!r}, which this project gives another of its questions: name "
                "another column (data.adapter.id), or write other ids"
            )
    return found


def _id_of(row: Row, column: str) -> str:
    value = value_at(row, column)
    own = id_text(value)
    if own is None:
        got = "nothing" if value is None or value == "" else f"{type(value).__name__} {str(value)[:40]!r}"
        raise ValueError(f"has {got} in its column of ids, {column!r}: expected text or a whole number")
    return own


def joined_ids(named: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The ids of several files as one. Raises ValueError, naming both files, for an id that two questions have."""
    found: dict[str, str] = {}
    first: dict[str, str] = {}
    for name, ids in named.items():
        for own, question in ids.items():
            if found.setdefault(own, question) != question:
                raise ValueError(
                    f"{name} has the id {own!r}, which {first[own]} has too, for another question: name columns of ids that "
                    "differ between the files (adapter.id of each)"
                )
            first.setdefault(own, name)
    return found
