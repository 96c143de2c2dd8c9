"""The table of docs/own-data.md: what counts as equal under math_verify, row by row, and what math-verify itself says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rft.records import Outcome
from rft.text.answers import grade
from rft.text.math_apart import UNITS, written_apart

pytest.importorskip("math_verify")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-data.md"
TABLE = PAGE.read_text(encoding="utf-8").partition("### What is equal under math_verify")[2]
ROWS = re.findall(r"^\| `(?P<gold>[^`]+)` \| `(?P<answer>[^`]+)` \| (?P<equal>[^|]+) \| [^|]+ \|$", TABLE, re.MULTILINE)


def graded(answer: str, gold: str) -> bool:
    """By a box and by a line, which must agree."""
    found = {grade("math_verify", text, gold, False) for text in (f"so $\\boxed{{{answer}}}$", f"so\n#### {answer}")}
    assert len(found) == 1
    return found == {Outcome.CORRECT}


def theirs(answer: str, gold: str) -> bool:
    """As math-verify reads both in boxes, without time limits, which are wall-clock seconds."""
    from math_verify import parse, verify

    first, second = (parse(f"$\\boxed{{{text}}}$", parsing_timeout=None) for text in (gold, answer))
    return verify(first, second, timeout_seconds=None)


def test_the_table_is_there():
    assert len(ROWS) > 40
    assert {said for _, _, said in ROWS} == {"yes", "no", "one way", "no *", "yes +"}


@pytest.mark.parametrize(("gold", "answer", "said"), ROWS)
def test_a_row_is_true(gold: str, answer: str, said: str):
    assert graded(answer, gold) is (said in ("yes", "one way", "yes +"))
    if said in ("yes", "yes +", "one way"):
        assert graded(gold, answer) is (said != "one way")


@pytest.mark.parametrize(("gold", "answer", "said"), [row for row in ROWS if row[2] in ("no *", "yes +")])
def test_a_marked_row_is_where_math_verify_is_not_followed(gold: str, answer: str, said: str):
    assert theirs(answer, gold) is (said == "no *")


@pytest.mark.parametrize(("gold", "answer"), [(gold, answer) for gold, answer, _ in ROWS])
def test_an_answer_is_always_itself(gold: str, answer: str):
    for text in (gold, answer):
        assert graded(text, text)
        assert not written_apart(text, text)


@pytest.mark.parametrize("scale", [1, 10**3, 10**-3, 10**-6, 10**-9])
def test_decimals_of_any_size_differ_where_three_figures_do(scale: float):
    """Rounding to six decimals alone would make all of the smallest ones equal."""
    one, other = f"{1.234 * scale:.15f}", f"{1.237 * scale:.15f}"
    assert not graded(one, other)
    assert graded(one, one + "0")


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("5 cm", "5 m", True),
        ("5cm", "5m", True),
        (r"5\,\mathrm{cm}", r"5\mathrm{ km}", True),
        (r"5\text{ cm}^2", r"5\text{ m}^2", True),
        (r"\frac{1}{2}\text{ hours}", r"\frac{1}{2}\text{ minutes}", True),
        ("5 hours", "5 hour", False),
        ("5 cm", r"5\text{ centimeters}", False),
        ("5 m", "5 minutes", False),  # may both be minutes
        ("5 apples", "5 pears", False),
        ("5 cm", "5", False),
        (r"\left\{1,2\right\}", r"\left(1,2\right)", True),
        ("{1,2}", "(1,2)", False),  # braces of LaTeX, which are not seen
        ("1A_{16}", "1A_{12}", True),
        ("a_1", "a_2", True),
        (r"\neq 7", "7", True),
        ("≥ 7", "7", True),
        (r"\ge 7", r"\geq 7", False),
        (r"\left(7\right)", "7", False),
    ],
)
def test_what_is_written_apart(one: str, other: str, apart: bool):
    assert written_apart(one, other) is written_apart(other, one) is apart


def test_a_word_is_one_unit():
    words = [word for word in UNITS if not word.endswith("s") and f"{word}s" in UNITS]
    assert words == [], "taking off a plural's s must be unambiguous"
