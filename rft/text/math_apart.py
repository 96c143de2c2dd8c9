r"""Answers that math-verify finds equal although they are written as different things: sets and tuples, bases, bounds, units.

    >>> written_apart(r"\{1,2\}", "(1,2)")          # a set, and a pair or an interval: apart, as its `strict` is documented
    True
    >>> written_apart("101_2", "101_3"), written_apart(r"\ge 7", "7"), written_apart(r"5\text{ cm}", r"5\text{ m}")
    (True, True, True)
    >>> written_apart("5 cm", "5"), written_apart("5 cm", r"5\text{ centimeters}"), written_apart("101_2", "101")
    (False, False, False)

Only what both sides say is compared: a base, or a unit, that one leaves out is no difference. Of units only different ones of
one kind are told apart (centimetres and metres); those that are not listed here are not read at all.
"""

from __future__ import annotations

import re

_SET = re.compile(r"\s*(?:\\left\s*)?\\[{].*\\[}]\s*", re.DOTALL)
_TUPLE = re.compile(r"\s*(?:\\left\s*)?[(\[].*[)\]]\s*", re.DOTALL)
_BASE = re.compile(r"[0-9A-Za-z]+_\{?(\d+)\}?\s*")
_BOUND = re.compile(r"\s*(<=?|>=?|\\(?:leq?|geq?|lt|gt|neq?)\b|[≤≥≠])\s*")
_UNIT = re.compile(  # behind a number, in words or as text, at the end
    r"[\d}]\s*(?:\\[,;! ]\s*)*(?:\\(?:text|mathrm|mbox)\s*\{)?\s*([A-Za-z]+)\s*\}?(?:\^\{?\d\}?)?\s*\Z"
)
# of each kind, unlike units with the words for them; a plural's s is taken off
_KINDS = (
    ("mm millimeter millimetre", "cm centimeter centimetre", "m meter metre", "km kilometer kilometre", "in inch inche",
     "ft foot feet", "yd yard", "mi mile"),
    ("s sec second", "min minute", "h hr hour", "day", "week", "month", "year"),
    ("mg milligram", "g gram", "kg kilogram", "oz ounce", "lb pound", "ton"),
    ("ml milliliter millilitre", "l liter litre", "pint", "quart", "gallon"),
    ("cent", "dollar"),
)  # fmt: skip
UNITS = {word: (kind, unit) for kind, units in enumerate(_KINDS) for unit in units for word in unit.split()}


def written_apart(one: str, other: str) -> bool:
    """Whether two answers cannot be equal by how they are written, whatever stands in them."""
    if (_is_set(one) and _is_tuple(other)) or (_is_tuple(one) and _is_set(other)):
        return True
    if _bound(one) != _bound(other):
        return True
    bases = _base(one), _base(other)
    if None not in bases and bases[0] != bases[1]:
        return True
    units = _unit(one), _unit(other)
    return units[0] is not None and units[1] is not None and units[0][0] == units[1][0] and units[0] != units[1]


def _is_set(answer: str) -> bool:
    return _SET.fullmatch(answer) is not None


def _is_tuple(answer: str) -> bool:
    return _TUPLE.fullmatch(answer) is not None


def _bound(answer: str) -> bool:
    """Whether it is a relation without a left side."""
    return _BOUND.match(answer) is not None


def _base(answer: str) -> str | None:
    found = _BASE.fullmatch(answer)
    return None if found is None else found[1]


def _unit(answer: str) -> tuple[int, str] | None:
    found = _UNIT.search(answer)
    if found is None:
        return None
    word = found[1].lower()
    return UNITS.get(word) or UNITS.get(word.removesuffix("s"))
