"""Judging a solution of an embedded-world problem: valid, arithmetic error, plan error, or right by luck.

    >>> spec = {"graph": ["groups", "lose"], "numbers": [3, 17, 5], "limit": 60}
    >>> problem = Problem("w-1", "Ann bought 3 bags of 17 nails. She sold 5. ...", "", "46", spec)
    >>> verdict(problem, "makes <<3*17=51>>51\\nleft <<51-5=46>>46\\n#### 46")
    <Verdict.VALID: 'valid'>
    >>> verdict(problem, "makes <<3*17=52>>52\\nleft <<52-5=47>>47\\n#### 47")
    <Verdict.ARITHMETIC: 'arithmetic'>
    >>> verdict(problem, "total <<3+17=20>>20\\nleft <<20-5=15>>15\\n#### 15")
    <Verdict.PLAN: 'plan'>
    >>> verdict(problem, "#### 46")
    <Verdict.LUCKY: 'lucky'>

Each equation is followed symbolically. Its operands are looked up among the quantities known so far: the question's numbers,
the constants of the graph's routes, and earlier results. Its result must be a quantity that some route of the graph computes,
recognised by its mark (see `expressions`). So any order, grouping or operand order is accepted, whether enumerated or not,
and a right number reached through a quantity that means nothing in the problem is not. After a false equation the claimed
result stands for the quantity, so that one slip is an arithmetic error and not also a plan error.

Limits. Only equations are judged: neither the words around them nor the number repeated after `>>`. An equation that
computes a needed or licensed quantity is accepted even if nothing uses it, or if it stands twice. A number copied
wrongly from an earlier line is a plan error. Where two quantities of a question share a value (the world draws numbers
so that those of the canonical route do not) the reading that makes the solution valid is taken. Routes past the
enumeration's caps (MAX_FORMS, MAX_TREES) are plan errors unless all their quantities occur in other routes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from fractions import Fraction
from functools import lru_cache

from rft.records import Problem
from rft.text.world.expressions import Leaf, Step, apply_mark, given, steps_of
from rft.text.world.kinds import build
from rft.text.world.problems import form_of
from rft.text.world.routes import routes

MAX_TEXT = 4000  # characters read
MAX_EQUATIONS = 24
MAX_EQUATION = 80  # characters
MAX_MARKS = 16  # readings of one operand
_EQUATION = re.compile(r"<<([^>]*)>>")
_ANSWER = re.compile(r"#### (-?[0-9.,]+)")
_TOKEN = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?|[-+*/()]")

Known = dict[Fraction, set[int]]  # value -> marks of the quantities that have it
Quantity = tuple[Fraction, frozenset[int]]


class Verdict(Enum):
    """What a solution is worth as reasoning."""

    VALID = "valid"
    ARITHMETIC = "arithmetic"  # the plan is right, an equation is false
    PLAN = "plan"  # a wrong operation or operand, a missing step, or no answer
    LUCKY = "lucky"  # the gold answer, by reasoning that is not valid


def verdict(problem: Problem, text: str) -> Verdict:
    """Judge any text as a solution. Bounded, never evaluates code. Raises ValueError for a problem without a spec."""
    form_of(problem)
    assert problem.spec is not None
    known, licensed, target = _quantities(
        tuple(problem.spec["graph"]), tuple(problem.spec["numbers"]), problem.spec["limit"]
    )
    follower = _Follower({value: set(marks) for value, marks in known}, licensed)
    text = text[:MAX_TEXT]
    equations = [match.group(1) for match in _EQUATION.finditer(text)]
    plan_right = 0 < len(equations) <= MAX_EQUATIONS
    for equation in equations[:MAX_EQUATIONS]:
        plan_right = follower.read(equation) and plan_right
    match_ = _ANSWER.search(text)
    answer = _number(match_.group(1)) if match_ else None
    reached = answer is not None and answer in follower.results.get(target, ())
    if plan_right and reached and follower.all_true:
        return Verdict.VALID
    if answer is not None and answer == _number(problem.gold):
        return Verdict.LUCKY
    return Verdict.ARITHMETIC if plan_right and reached else Verdict.PLAN


@lru_cache(maxsize=65536)
def _quantities(
    graph: tuple[str, ...], numbers: tuple[int, ...], limit: int
) -> tuple[tuple[tuple[Fraction, tuple[int, ...]], ...], frozenset[int], int]:
    """(values known from the start with their marks, marks of licensed results, mark of the answer)."""
    trees = routes(build(graph, numbers), limit=limit)
    nodes = {node: None for tree in trees for node in steps_of(tree)}
    leaves = {side for node in nodes for side in (node.left, node.right) if isinstance(side, Leaf)}
    leaves |= {given(index, value) for index, value in enumerate(numbers)}
    known: dict[int, set[int]] = {}
    for leaf in leaves:
        known.setdefault(leaf.value, set()).add(leaf.mark)
    frozen = tuple((Fraction(value), tuple(sorted(marks))) for value, marks in sorted(known.items()))
    root: Step = trees[0]
    return frozen, frozenset(node.mark for node in nodes), root.mark


class _Follower:
    """Reads equations one by one and keeps what is known."""

    def __init__(self, known: Known, licensed: frozenset[int]) -> None:
        self.known = known
        self.licensed = licensed
        self.results: dict[int, set[Fraction]] = {}  # mark -> claimed values
        self.all_true = True

    def read(self, equation: str) -> bool:
        """Take one equation in; whether it computes a licensed quantity from known ones."""
        sides = equation.split("=")
        claimed = _number(sides[1]) if len(sides) == 2 and len(equation) <= MAX_EQUATION else None
        if claimed is None:
            self.all_true = False
            return False
        try:
            value, marks = _Parser(sides[0], self.known).whole()
        except (SyntaxError, ZeroDivisionError):
            self.all_true = False
            return False
        self.all_true &= value == claimed
        meant = marks & self.licensed
        for mark in meant:
            self.known.setdefault(claimed, set()).add(mark)
            self.results.setdefault(mark, set()).add(claimed)
        return bool(meant)


class _Parser:
    """Left side of an equation: + - * / and parentheses over numbers, MAX_EQUATION characters at most."""

    def __init__(self, text: str, known: Known) -> None:
        text = text.replace(" ", "")
        self.tokens: list[str] = _TOKEN.findall(text)
        if "".join(self.tokens) != text or not text:
            raise SyntaxError("not an expression")
        self.known = known
        self.place = 0

    def whole(self) -> Quantity:
        quantity = self.sum()
        if self.place < len(self.tokens) or len(self.tokens) < 2:
            raise SyntaxError("not one operation")
        return quantity

    def sum(self) -> Quantity:
        quantity = self.product()
        while (op := self.take("+-")) is not None:
            quantity = _apply(op, quantity, self.product())
        return quantity

    def product(self) -> Quantity:
        quantity = self.atom()
        while (op := self.take("*/")) is not None:
            quantity = _apply(op, quantity, self.atom())
        return quantity

    def atom(self) -> Quantity:
        if self.take("(") is not None:
            quantity = self.sum()
            if self.take(")") is None:
                raise SyntaxError("parenthesis not closed")
            return quantity
        token = self.tokens[self.place] if self.place < len(self.tokens) else ""
        if not token[:1].isdigit():
            raise SyntaxError("number expected")
        self.place += 1
        value = Fraction(token)
        return value, frozenset(self.known.get(value, ()))

    def take(self, wanted: str) -> str | None:
        if self.place < len(self.tokens) and self.tokens[self.place] in wanted:
            self.place += 1
            return self.tokens[self.place - 1]
        return None


def _apply(op: str, left: Quantity, right: Quantity) -> Quantity:
    (a, marks_a), (b, marks_b) = left, right
    value = a + b if op == "+" else a - b if op == "-" else a * b if op == "*" else a / b
    return value, frozenset(_few(apply_mark(op, x, y) for x in sorted(marks_a) for y in sorted(marks_b)))


def _few(marks: Iterator[int]) -> Iterator[int]:
    for _, mark in zip(range(MAX_MARKS), marks, strict=False):
        yield mark


def _number(text: str) -> Fraction | None:
    text = text.replace(",", "").replace(" ", "").rstrip(".")
    return Fraction(text) if re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,6})?", text) else None
