"""Equations of a solution in GSM8K's annotation `<<48/2=24>>`: their list, the key of a path, and whether they hold.

    >>> text = "48/2 = <<48/2=24>>24, 48+24 = <<48 + 24=72>>72"
    >>> equation_list(text)
    ['48/2=24', '48+24=72']
    >>> equation_key(text)      # the identity of a path (paper section 3.3, A.3)
    '48/2=24|48+24=72'
    >>> check("7*8=<<7*8=54>>54")
    Check(ok=False, reason='false', num_equations=1)
    >>> evaluate("50%*80")
    40.0

Model text is data: expressions go through a bounded parser (length, depth, size of numbers and exponents), never
`eval`. Every call is linear in the length of its text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

TOLERANCE = 1e-3  # absolute; OFA-Sys/gsm8k-ScRel collect_rejection_sampling.py
MAX_LENGTH = 400  # characters of one equation; the longest of GSM8K has under 100
MAX_DEPTH = 30  # nested parentheses and signs
MAX_EXPONENT = 64
MAX_VALUE = 1e30

_DIGITS = frozenset("0123456789")
_NOT_PYTHON = re.compile(r"[,$^]|%(?![\d.(])|(?<![\d.])0+[1-9]\d*(?![\d.])", re.ASCII)
_FLOAT = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)\s*", re.ASCII)


class EquationError(ValueError):
    """An expression that cannot be evaluated; the message is its reason, one of REASONS."""


REASONS = ("syntax", "too_long", "too_deep", "too_large", "zero_division", "no_equals", "false")


@dataclass(frozen=True)
class Check:
    """Verdict over all equations of one solution."""

    ok: bool  # every equation holds; True also without any equation
    reason: str | None  # of the first equation that does not hold: one of REASONS
    num_equations: int


def equation_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the contents of every `<<...>>` stand, in order: what re.finditer(r"<<([^>]*)>>") finds, in linear time."""
    start = text.find("<<")
    while start >= 0:
        close = text.find(">", start + 2)
        if close < 0:
            return
        if text.startswith(">>", close):
            yield start + 2, close
            close += 1
        start = text.find("<<", close + 1)  # no other start before `close` can match either: it meets the same '>'


def equation_list(text: str) -> list[str]:
    """Contents of every `<<...>>` in order, spaces removed."""
    return [text[start:end].replace(" ", "") for start, end in equation_spans(text)]


def equation_parts(text: str) -> list[tuple[str, bool | None]]:
    """The whole text in pieces: each `<<...>>` with whether its equation holds, what lies between with None.

    >>> equation_parts("3*5=<<3*5=14>>14")
    [('3*5=', None), ('<<3*5=14>>', False), ('14', None)]
    """
    parts: list[tuple[str, bool | None]] = []
    done = 0
    for start, end in equation_spans(text):
        holds = equation_fault(text[start:end].replace(" ", "")) is None
        parts += [(text[done : start - 2], None), (text[start - 2 : end + 2], holds)]
        done = end + 2
    return [part for part in (*parts, (text[done:], None)) if part[0]]


def equation_key(text: str) -> str:
    """The identity of a path: its equations joined with `|`; '' for a text without any."""
    return "|".join(equation_list(text))


def check(text: str, tolerance: float = TOLERANCE) -> Check:
    """Check every annotated equation of a solution: sides differ by less than `tolerance` (absolute, above 0)."""
    return check_equations(equation_list(text), tolerance=tolerance)


def check_equations(equations: Iterable[str], *, tolerance: float = TOLERANCE) -> Check:
    """Check a list of equations such as `["48/2=24"]`; in a chain `a=b=c` every part must equal the first."""
    listed = list(equations)
    for equation in listed:
        reason = equation_fault(equation, tolerance=tolerance)
        if reason is not None:
            return Check(False, reason, len(listed))
    return Check(True, None, len(listed))


@lru_cache(maxsize=1 << 17)
def _fault(equation: str, tolerance: float) -> str | None:
    if "=" not in equation:
        return "no_equals"
    try:
        first, *rest = [evaluate(side) for side in equation.split("=")]
    except EquationError as error:
        return str(error)
    return None if all(abs(first - value) < tolerance for value in rest) else "false"


def equation_fault(equation: str, *, tolerance: float = TOLERANCE) -> str | None:
    """None when the equation holds, else why not (one of REASONS)."""
    if len(equation) > MAX_LENGTH:  # before the cache, which would keep the text
        return "too_long"
    return _fault(equation, tolerance)


def evaluate(expression: str) -> float:
    """The value of an arithmetic expression: + - * / // % ** and parentheses, `50%` as 0.5, `1,000`, `$`.

    `%` is the remainder when an operand follows it (`7%3`), else a percentage (`50%*80`). Raises EquationError.
    """
    if len(expression) > MAX_LENGTH:
        raise EquationError("too_long")
    parser = _Parser(expression)
    value = parser.sum(0)
    if parser.peek():
        raise EquationError("syntax")
    return value


def _bounded(value: float) -> float:
    if not math.isfinite(value) or abs(value) > MAX_VALUE:
        raise EquationError("too_large")
    return value


def _divided(kind: str, a: float, b: float) -> float:
    if b == 0:
        raise EquationError("zero_division")
    if kind == "/":
        return a / b
    return a // b if kind == "//" else a % b


class _Parser:
    """Recursive descent over one expression; Python's precedence, depth carried as an argument."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0

    def peek(self) -> str:
        while self.text[self.pos : self.pos + 1] in (" ", "$"):
            self.pos += 1
        return self.text[self.pos : self.pos + 1]

    def take(self, *symbols: str) -> str | None:
        self.peek()
        for symbol in symbols:
            if self.text.startswith(symbol, self.pos):
                self.pos += len(symbol)
                return symbol
        return None

    def sum(self, depth: int) -> float:
        value = self.product(depth)
        while (symbol := self.take("+", "-")) is not None:
            other = self.product(depth)
            value = _bounded(value + other if symbol == "+" else value - other)
        return value

    def product(self, depth: int) -> float:
        value = self.signed(depth)
        while (symbol := self.operator()) is not None:
            other = self.signed(depth)
            value = _bounded(value * other if symbol == "*" else _divided(symbol, value, other))
        return value

    def operator(self) -> str | None:
        return self.take("//", "*", "/", "%")  # a percentage's % and a power's ** were taken by `power` before

    def signed(self, depth: int) -> float:
        if depth > MAX_DEPTH:
            raise EquationError("too_deep")
        if (sign := self.take("-", "+")) is not None:
            value = self.signed(depth + 1)
            return -value if sign == "-" else value
        return self.power(depth)

    def power(self, depth: int) -> float:
        base = self.percent(depth)
        if self.take("**", "^") is None:
            return base
        exponent = self.signed(depth + 1)
        if abs(exponent) > MAX_EXPONENT:
            raise EquationError("too_large")
        if base == 0 and exponent < 0:
            raise EquationError("zero_division")
        if base < 0 and exponent != int(exponent):
            raise EquationError("syntax")  # a complex number is no answer to a word problem
        try:
            return _bounded(base**exponent)
        except OverflowError:
            raise EquationError("too_large") from None

    def percent(self, depth: int) -> float:
        value = self.atom(depth)
        while self.peek() == "%" and not self.operand_follows():
            self.pos += 1
            value /= 100
        return value

    def operand_follows(self) -> bool:
        rest = self.text[self.pos + 1 :].lstrip(" $")[:1]
        return rest in _DIGITS or rest in ("(", ".")

    def atom(self, depth: int) -> float:
        if self.take("(") is not None:
            value = self.sum(depth + 1)
            if self.take(")") is None:
                raise EquationError("syntax")
            return value
        return self.number()

    def number(self) -> float:
        self.peek()
        start, end = self.pos, self.pos
        while end < len(self.text) and (self.text[end] in _DIGITS or self.text[end] in ".,"):
            end += 1
        digits = self.text[start:end].replace(",", "")
        if not digits.strip(".") or digits.count(".") > 1:
            raise EquationError("syntax")
        self.pos = end
        return _bounded(float(digits))


def holds_in_python(equation: str, *, tolerance: float = TOLERANCE) -> bool:
    """The released script's check, |eval(lhs) - float(rhs)| < tolerance with lhs, rhs = parts 0, 1 of split('=').

    Without its eval: an expression counts only when Python itself would read it as a number, so `1,000`, `$5`, `50%`,
    `05`, `2^3` and an equation without '=' fail (what the script does with an
    expression that raises is not published; here the path is dropped).
    """
    return len(equation) <= MAX_LENGTH and _holds_in_python(equation, tolerance)


@lru_cache(maxsize=1 << 17)
def _holds_in_python(equation: str, tolerance: float) -> bool:
    parts = equation.split("=")
    if len(parts) < 2 or _NOT_PYTHON.search(parts[0]) or not _FLOAT.fullmatch(parts[1]):
        return False
    try:
        return abs(evaluate(parts[0]) - float(parts[1])) < tolerance
    except EquationError:
        return False
