"""A numbers-changed copy of a test set, for models that may have seen the original.

    >>> question = "Ann sold 48 clips in April, and half as many in May. How many in all?"
    >>> solution = "48/2 = <<48/2=24>>24 in May\\n48+24 = <<48+24=72>>72 in all\\n#### 72"
    >>> copy = perturb([Problem("g-1", question, solution, "72")], seed=0).problems[0]
    >>> copy.id, copy.question
    ('g-1~0', 'Ann sold 28 clips in April, and half as many in May. How many in all?')
    >>> copy.solution
    '28/2=<<28/2=14>>14\\n28+14=<<28+14=42>>42\\n#### 42'

New numbers are drawn for the numbers of the question; the equations of the human path are computed again with them, and the
last result is the new gold answer. A problem is copied only where every link is certain:

- each number of an equation is exactly one of these: a number of the question, a percentage of one, an earlier result, or a
  number told in words (`half`, `three`, `dozen`); a number that may also convert a unit named in the question (60 for
  minutes, 100 for cents) is not certain;
- each number of the question is used;
- whole results stay whole and positive ones positive, with new numbers between half and twice the old ones.

All other problems are dropped and counted by reason. What remains leans towards problems with plain equations, so compare the
copies with the originals of the same ids (`original_id`), not with the whole test set.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rft.records import Problem
from rft.text import equations
from rft.text.numbers import canonical_number
from rft.text.subsets import rank

REASONS = (
    "no_equation",  # the human path has no annotated equation
    "unparsed_equation",  # one that the parser refuses, that does not hold or whose right side is no number
    "gold_not_last",  # the last equation's value is not the gold answer
    "odd_number",  # the question has a number within a word, a time or a fraction: 3rd, 5:30, 1/2
    "unlinked_number",  # an equation has a number from nowhere, such as 60 minutes or 100
    "ambiguous_number",  # a number of an equation may come from two places, such as the question and an earlier result
    "unused_number",  # the question has a number that no equation uses
    "no_valid_numbers",  # no draw of new numbers kept whole results whole and positive ones positive
)
NUM_ATTEMPTS = 200

_TOLD = {
    "half": ("2", "0.5"), "twice": ("2",), "double": ("2",), "doubled": ("2",), "thrice": ("3",), "triple": ("3",),
    "third": ("3",), "quarter": ("4", "0.25"), "fourth": ("4",), "pair": ("2",), "dozen": ("12",), "both": ("2",),
    "one": ("1",), "two": ("2",), "three": ("3",), "four": ("4",), "five": ("5",), "six": ("6",), "seven": ("7",),
    "eight": ("8",), "nine": ("9",), "ten": ("10",), "eleven": ("11",), "twelve": ("12",),
    "week": ("7",), "weeks": ("7",), "weekly": ("7",),
}  # fmt: skip
# A unit (plurals without their s) -> factors that convert it. A question need not state them, so an equation may have a
# number from here.
_UNITS = {
    "second": "60", "minute": "60", "hour": "60 24", "hourly": "24", "day": "24 7 30 31 365 52", "daily": "7 30 31 365",
    "week": "7 4 52", "weekly": "4 52", "month": "12 30 31 4 52", "monthly": "12", "year": "12 52 365 10 100",
    "yearly": "12 52", "annual": "12 52 365", "annually": "12 52", "decade": "10", "century": "100", "centurie": "100",
    "percent": "100 0.01", "percentage": "100 0.01", "cent": "100 0.01", "penny": "100 0.01", "pennie": "100 0.01",
    "nickel": "5 0.05 20", "dime": "10 0.1", "quarter": "25 0.25 4", "dozen": "12", "score": "20", "inch": "12 36",
    "inche": "12 36", "foot": "12 3 5280", "feet": "12 3 5280", "yard": "3 36 1760", "mile": "5280 1760", "ounce": "16 8",
    "pound": "16 2000", "ton": "2000 1000", "gallon": "4 16 8 128", "quart": "4 2 32", "pint": "2 8 16", "cup": "8 16 2 4",
    "tablespoon": "3 16", "teaspoon": "3 48", "meter": "100 1000", "metre": "100 1000", "centimeter": "100 10",
    "cm": "100 10", "millimeter": "10 1000", "kilometer": "1000", "km": "1000", "gram": "1000", "kilogram": "1000",
    "kg": "1000", "kilo": "1000", "liter": "1000", "litre": "1000", "milliliter": "1000", "ml": "1000",
    "degree": "360 180 90", "triangle": "3", "square": "4",
}  # fmt: skip
_NUMBER = re.compile(r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?|\.[0-9]+")
_ODD = re.compile(r"[0-9][:/][0-9]|[A-Za-z][0-9]|[0-9][A-Za-z]|[0-9]-[0-9]")
_WORD = re.compile(r"[a-z]+")


class _DropError(Exception):
    """Carries the reason why a problem has no copy."""


@dataclass(frozen=True)
class Perturbed:
    """The copies and, by reason, how many problems have none."""

    problems: list[Problem]  # ids '<original id>~<seed>'
    drop_counts: dict[str, int]


@dataclass(frozen=True)
class _Step:
    """One equation: its left side with the source of each number."""

    parts: list[str]  # text between the numbers; one more than sources
    sources: list[tuple[str, str]]  # (question | percent | result | constant, number or index)
    value: str  # the annotated result, canonical


def perturb(problems: Sequence[Problem], *, seed: int) -> Perturbed:
    """Copies with new numbers, by seed; the same seed gives the same copies in any order of problems."""
    made: list[Problem] = []
    drops: Counter[str] = Counter()
    for problem in problems:
        try:
            made.append(_copy(problem, seed))
        except _DropError as drop:
            drops[str(drop)] += 1
    return Perturbed(made, {reason: drops[reason] for reason in REASONS})


def why_no_copy(problems: Sequence[Problem], *, seed: int) -> str | None:
    """Why not one of the problems has a copy; None where one has."""
    drops: Counter[str] = Counter()
    for problem in problems:
        found = perturb([problem], seed=seed)
        if found.problems:
            return None
        drops.update(found.drop_counts)
    reasons = ", ".join(f"{reason} {count}" for reason, count in drops.items() if count)
    return (
        f"none of the {len(problems)} problems has a numbers-changed copy ({reasons}): their solutions need annotated "
        "equations (<<a*b=c>>)"
    )


def original_id(copy_id: str) -> str:
    """The id of the problem that a copy was made of."""
    return copy_id.rpartition("~")[0]


def _copy(problem: Problem, seed: int) -> Problem:
    steps, numbers = _linked(problem)
    for attempt in range(NUM_ATTEMPTS):
        drawn = {number: _redrawn(number, lot=rank(seed, problem.id, attempt, number)) for number in numbers}
        results = _replayed(steps, drawn)
        if results is not None and results[-1] != canonical_number(problem.gold):
            question = _rewritten(problem.question, drawn)
            lines = [_written(step, drawn, results, index) for index, step in enumerate(steps)]
            solution = "\n".join([*lines, f"#### {results[-1]}"])
            return Problem(f"{problem.id}~{seed}", question, solution, results[-1])
    raise _DropError("no_valid_numbers")


def _canonical(text: str) -> str:
    return canonical_number(text) or text


def _linked(problem: Problem) -> tuple[list[_Step], list[str]]:
    """The steps with the source of every number, and the distinct numbers of the question."""
    listed = equations.equation_list(problem.solution)
    if not listed:
        raise _DropError("no_equation")
    if _ODD.search(problem.question):
        raise _DropError("odd_number")
    numbers = [_canonical(found) for found in _NUMBER.findall(problem.question)]
    sources, implied = _question_sources(problem.question, numbers), _implied(problem.question)
    steps: list[_Step] = []
    for equation in listed:
        left, _, right = equation.partition("=")
        value = canonical_number(right)
        if value is None or not equations.check_equations([equation]).ok:
            raise _DropError("unparsed_equation")
        found = [_source(_canonical(number), sources, implied, steps) for number in _NUMBER.findall(left)]
        steps.append(_Step(_NUMBER.split(left), found, value))
    if steps[-1].value != canonical_number(problem.gold):
        raise _DropError("gold_not_last")
    used = {number for step in steps for kind, number in step.sources if kind in ("question", "percent")}
    if not numbers or set(numbers) - used:
        raise _DropError("unused_number")
    return steps, sorted(set(numbers))


def _question_sources(question: str, numbers: Sequence[str]) -> dict[str, set[tuple[str, str]]]:
    """What each number could be, from the question alone."""
    sources: dict[str, set[tuple[str, str]]] = {number: {("question", number)} for number in numbers}
    for found in re.findall(rf"({_NUMBER.pattern})\s?(?:%|percent)", question):
        percent = _canonical(found)
        hundredth = _canonical(f"{float(percent) / 100:.6f}")
        sources.setdefault(hundredth, set()).add(("percent", percent))
        for constant in ("100", "0.01"):
            sources.setdefault(constant, set()).add(("constant", constant))
    for word in _WORD.findall(question.lower()):
        for constant in _TOLD.get(word, ()):
            sources.setdefault(constant, set()).add(("constant", constant))
    return sources


def _implied(question: str) -> set[str]:
    """Conversion factors of the units that the question names: numbers that an equation may have without being told."""
    words = [*_WORD.findall(question.lower()), *["percent"] * ("%" in question)]
    return {number for word in words for number in _UNITS.get(word.removesuffix("s"), "").split()}


def _source(
    number: str, sources: dict[str, set[tuple[str, str]]], implied: set[str], steps: Sequence[_Step]
) -> tuple[str, str]:
    possible = set(sources.get(number, ()))
    possible |= {("result", str(index)) for index, step in enumerate(steps) if step.value == number}
    if not possible:
        raise _DropError("unlinked_number")
    if len(possible | ({("constant", number)} if number in implied else set())) > 1:
        raise _DropError("ambiguous_number")
    return possible.pop()


def _redrawn(number: str, *, lot: int) -> str:
    """A number between half and twice the old one, with as many decimals; 0 and 1 stay, for the grammar's sake."""
    decimals = len(number.partition(".")[2])
    old = round(float(number) * 10**decimals)
    if old <= 1 and decimals == 0:
        return number
    unit = (
        10
        if decimals == 0 and old >= 100 and old % 10 == 0
        else 5
        if decimals == 0 and old > 20 and old % 5 == 0
        else 1
    )
    low, high = max(2 * unit if unit == 1 else unit, math.ceil(old / 2 / unit) * unit), 2 * old
    if decimals == 0 and old <= 100:
        high = min(high, 100) if old < 100 else old * 2  # a percentage below 100 stays one
    choices = range(low, high + 1, unit)
    new = choices[lot % len(choices)]
    return _canonical(f"{new / 10**decimals:.{decimals}f}")


def _fill(step: _Step, drawn: dict[str, str], results: Sequence[str]) -> str:
    read: dict[str, Callable[[str], str]] = {
        "question": lambda number: drawn[number],
        "percent": lambda number: _canonical(f"{float(drawn[number]) / 100:.6f}"),
        "result": lambda index: results[int(index)],
        "constant": lambda number: number,
    }
    filled = [read[kind](name) for kind, name in step.sources]
    return "".join(part + number for part, number in zip(step.parts, [*filled, ""], strict=True))


def _replayed(steps: Sequence[_Step], drawn: dict[str, str]) -> list[str] | None:
    """New results of all steps, None when one is no longer whole, positive or of as few decimals as it was."""
    results: list[str] = []
    for step in steps:
        try:
            value = equations.evaluate(_fill(step, drawn, results))
        except equations.EquationError:
            return None
        decimals = len(step.value.partition(".")[2])
        rounded = round(value, decimals)
        old = float(step.value)
        if abs(value - rounded) > 1e-9 or (rounded > 0) != (old > 0) or (old < 1) != (rounded < 1):
            return None
        results.append(_canonical(f"{rounded:.{decimals}f}"))
    return results


def _rewritten(question: str, drawn: dict[str, str]) -> str:
    return _NUMBER.sub(lambda found: _spelled(found[0], drawn), question)


def _spelled(old: str, drawn: dict[str, str]) -> str:
    """The new number as the question writes the old one: thousands commas and trailing zeros kept."""
    new = drawn[_canonical(old)]
    whole, _, fraction = new.partition(".")
    decimals = len(old.partition(".")[2])
    whole = f"{int(whole):,}" if "," in old else whole
    return f"{whole}.{fraction.ljust(decimals, '0')}" if decimals else whole


def _written(step: _Step, drawn: dict[str, str], results: Sequence[str], index: int) -> str:
    left = _fill(step, drawn, results)
    return f"{left}=<<{left}={results[index]}>>{results[index]}"
