"""A grading rule under which an untrained model is right about half of the time: for cells that need correct paths."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from rft.text.answers import RULES, Rule
from rft.text.numbers import Found


def _by_lot(text: str) -> Found:
    """The gold answer of its own line; of any other text a lot, in which a text never changes its fate."""
    if text.startswith("#### "):
        return Found(text.removeprefix("#### "), True)
    return Found(str(zlib.crc32(text.encode()) % 2), True)


@contextmanager
def by_lot() -> Iterator[None]:
    """The rule `by_lot` is there, and gone afterwards: other tests go through all rules."""
    RULES.add("by_lot")(Rule("by_lot", _by_lot, lambda answer, gold: answer == "1", "for tests"))
    try:
        yield
    finally:
        del RULES._things["by_lot"]
