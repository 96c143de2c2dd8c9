"""Which wrong answer each draw votes for; the estimators are in `rft.votes`.

>>> rivals("WWCN", ["7", "7.0", "18", None])     # numbers are compared, not strings
[0, 0, None, None]
"""

from __future__ import annotations

from collections.abc import Sequence

from rft.records import Outcome
from rft.text.answers import vote_classes

NUMBERS = "gsm8k"  # any rule on numbers: votes are counted alike under all of them


def rivals(outcomes: str, answers: Sequence[str | None], *, rule: str = NUMBERS) -> list[int | None]:
    """For each draw the index of the wrong answer that it votes for, by first appearance; None where it votes for none.

    Equal answers are one ("7", "7.0", "7."), as the rule's kind compares them. A draw that the rule calls wrong is a rival
    even where its number equals the gold answer: the rule, and no other reading, says what is right.
    """
    wrong = [
        answer if letter == Outcome.WRONG.letter else None for letter, answer in zip(outcomes, answers, strict=True)
    ]
    return vote_classes(rule, wrong)
