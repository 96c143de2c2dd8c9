"""Numbers as people write them: one canonical spelling for each, and the numbers that stand in a text.

    >>> canonical_number("$1,450.50")
    '1450.5'
    >>> last_number("10 - 4 = 6, so:\\n- 6 apples")
    Found(answer='6', is_whole=True)
    >>> first_number("A: 3 + 4 = 7", start=10)     # the text may have been cut: '7' could go on as '75'
    Found(answer='7', is_whole=False)

A comma separates thousands and must stand before three digits; otherwise the string is no number ('0,5'). The minus signs and
dashes of Unicode count as minus signs. Scientific notation is read (2.0107e-06), fractions are not ('1/2' is no number).
Not taken for the sign of a number in a text: the dash of '10 - 4', a list's bullet ('- 42' at the start of a line), a ruled
line of dashes, and a dash typed as '--'.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

MINUS = "-\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"  # hyphens, figure and en dash, minus and its small and full-width forms
_SIGN = f"[{re.escape('+' + MINUS)}]"
_PLAIN = re.compile(
    rf"(?:(?P<sign>{_SIGN})\s*\$?|\$(?P<inner>{_SIGN}?))?(?P<whole>[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]*)"
    r"(?:\.(?P<fraction>[0-9]*))?(?:[eE](?P<exponent>[-+]?[0-9]{1,3}))?"
)
# a full stop after an exponent ends the sentence; before a letter or digit it makes the whole something else (2e5.3)
_NUMBER = re.compile(r"\$?(?:[0-9][0-9,]*(?:\.[0-9]+)?|(?<![\w.])\.[0-9]+)(?:[eE][-+]?[0-9]{1,3}(?!\w|\.\w))?")
_BROKEN_OFF = re.compile(
    r"\.?|[eE][-+]?"
)  # what may stand between a number and the end of a text that was cut inside it
_LINE_END = re.compile(r"[\r\n]")
MAX_GAP = 32  # characters before a number in which its sign is looked for


@dataclass(frozen=True)
class Found:
    """What was found in a text, and whether it stands there complete."""

    answer: str
    is_whole: bool  # False: the text ends inside it or right behind it, and going on may have made it longer


def canonical_number(text: str) -> str | None:
    """The number a string writes, in the one spelling used for votes: `"$1,450.50"` -> `"1450.5"`, `"-0.0"` -> `"0"`.

    Works on digits, not floats, so numbers of any length compare exactly. None when the string is not one number.
    """
    return _cached_number(text) if len(text) <= 40 else _number(text)  # long texts are not worth keeping


def _number(text: str) -> str | None:
    match = _PLAIN.fullmatch(text.strip())
    if match is None:
        return None
    whole, fraction = match["whole"].replace(",", ""), match["fraction"] or ""
    if not whole and not fraction:
        return None
    whole, fraction = _shifted(whole, fraction, int(match["exponent"] or 0))
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    digits = f"{whole}.{fraction}" if fraction else whole
    sign = match["sign"] or match["inner"] or "+"
    return f"-{digits}" if sign in MINUS and digits != "0" else digits


def _shifted(whole: str, fraction: str, exponent: int) -> tuple[str, str]:
    """Digits before and after the point of a number times ten to the exponent."""
    if exponent > 0:
        fraction = fraction.ljust(exponent, "0")
        return whole + fraction[:exponent], fraction[exponent:]
    whole = whole.rjust(-exponent, "0")
    at = len(whole) + exponent
    return whole[:at], whole[at:] + fraction


_cached_number = lru_cache(maxsize=1 << 16)(_number)


def last_number(text: str) -> Found | None:
    """The last number of a text; None without one, or when its commas do not separate thousands."""
    last = None
    for match in _NUMBER.finditer(text):
        last = match
    return _found(text, last)


def first_number(text: str, *, start: int = 0) -> Found | None:
    """The first number at or behind index `start` of a text; None as for `last_number`."""
    return _found(text, _NUMBER.search(text, start))


def _found(text: str, match: re.Match[str] | None) -> Found | None:
    if match is None:
        return None
    number = canonical_number(match[0].lstrip("$").rstrip(","))
    if number is None:
        return None
    if _is_negative(text, match.start()) and number != "0":
        number = f"-{number}"
    return Found(number, _BROKEN_OFF.fullmatch(text, match.end()) is None)


def _is_negative(text: str, start: int) -> bool:
    """Whether a minus sign, and no dash of another meaning (see the module), stands before `start` on its line."""
    before = _LINE_END.split(text[max(0, start - MAX_GAP) : start])[-1]
    tight = before.rstrip("$")
    bare = tight.rstrip()
    left = bare[:-1]
    if bare[-1:] not in MINUS or not bare or (left and left[-1] in MINUS):
        return False
    if bare == tight:  # '-5' after a space is a number, whatever stands before
        return re.search(r"[\w)]$", left.rstrip("$")) is None
    is_bullet = not left.strip("> \t")  # also of a quoted list
    return not is_bullet and re.search(r"[\w)%.,]$", left.rstrip("$").rstrip()) is None
