"""Train-test overlap: questions are compared after normalising; a training question that is also a test question is refused.

    >>> normalise("Janet's  16 eggs?")
    'janet s 16 eggs'
    >>> overlaps(["What is 3 + 5?", "What is 3 - 5?"], ["what is 3-5"])     # (index in train, index in test)
    [(1, 0)]
    >>> refuse_overlap(["What is 3 - 5?"], ["what is 3-5"], name="train.jsonl")
    Traceback (most recent call last):
    ValueError: 1 of 1 questions of train.jsonl are in the test set; the first is question 1, test question 1: ...

A normalised question is in Unicode's compatibility form and lower case, and consists of words, numbers and the signs that
calculate. What changes the problem stays: operators, minus signs, decimal points ("3 - 5" is not "3 + 5", "1.5" not "15").
Typography goes: commas between thousands, hyphens of words, quotation marks, currency.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from rft.text.numbers import MINUS, canonical_number

_PARTS = re.compile(
    r"\d+(?:,\d{3})+(?!\d)(?:\.\d+)?"  # 1,450.5
    r"|\d+(?:[.,:]\d+)*"  # 1.5, and 1,5 of other lands
    r"|(?<!\d)\.\d+"
    rf"|[{MINUS}—](?=\s*[$(]?\.?\d)"  # a minus sign before a number; other dashes and hyphens are typography
    r"|[+*/^%=<>×÷·√²³]"
    r"|[^\W\d_]+"
)
_SAME = str.maketrans(dict.fromkeys(MINUS + "—", "-") | {"·": "*", "×": "*", "÷": "/"})


def normalise(question: str) -> str:
    """The form in which two questions are one: no case, punctuation, typography or spacing."""
    text = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(_part(found[0]) for found in _PARTS.finditer(text))


def _part(found: str) -> str:
    return canonical_number(found) or found.translate(_SAME)


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
