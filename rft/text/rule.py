"""What a grading rule is.

>>> last = Rule("last_word", lambda text: Found(text.split()[-1], True), str.__eq__, "an example", numbers=False)
>>> last.equal(last.find("It is Rome").answer, "Rome")
True
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rft.text.numbers import Found


def as_it_is(gold: str) -> str:
    """The text itself."""
    return gold


@dataclass(frozen=True)
class Rule:
    """One named grading rule."""

    name: str
    find: Callable[[str], Found | None]  # the answer as the rule compares it; None: no answer
    equal: Callable[[str, str], bool]  # answer, gold; both as the rule finds them
    source: str  # where the definition comes from
    written: Callable[[str], str] = (
        as_it_is  # prepares the gold answer of the data file for `find`, as the project does
    )
    numbers: bool = True  # gold answers are numbers; else whatever `find` reads in `written(gold)`
    expects: str = ""  # where they are not: what a gold answer may be, for messages
    version: int = 1  # raised where a text gets another answer, or two answers another comparison, than before
    needs: Callable[[], str] = str  # why it cannot run here (a library is missing); '' where it can
