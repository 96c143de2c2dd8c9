"""The training set never meets the test set: questions are compared after normalising, an overlap is refused.

    overlaps([train_problem.question, ...], [test_problem.question, ...])    -> [(index in train, index in test), ...]
    refuse_overlap(train_questions, test_questions, name="train.jsonl")      # ValueError when there is any

Normalised: Unicode compatibility form, lower case, letters and digits alone: "Janet's  16 eggs?" -> "janet s 16 eggs".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_GAPS = re.compile(r"[\W_]+")


def normalise(question: str) -> str:
    """The form in which two questions are one: no case, punctuation, typography or spacing."""
    return _GAPS.sub(" ", unicodedata.normalize("NFKC", question).casefold()).strip()


def overlaps(train: Iterable[str], test: Iterable[str]) -> list[tuple[int, int]]:
    """Pairs (index in train, index in test) of equal questions, in the order of train."""
    tested: dict[str, int] = {}
    for index, question in enumerate(test):
        tested.setdefault(normalise(question), index)
    return [(i, tested[form]) for i, form in enumerate(map(normalise, train)) if form in tested]


def refuse_overlap(train: Iterable[str], test: Iterable[str], *, name: str) -> None:
    """Raise ValueError, with the count and the first question, when any training question is also a test question."""
    train = list(train)
    found = overlaps(train, test)
    if found:
        index, tested = found[0]
        raise ValueError(
            f"{len(found)} of {len(train)} questions of {name} are in the test set; the first is question {index + 1}, "
            f"test question {tested + 1}: {train[index].strip()[:80]!r}. Remove them, or choose another test set"
        )
