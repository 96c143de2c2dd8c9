"""Grading rules: a table of tricky strings by rule, and the 5,276 published labels."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rft.records import Outcome
from rft.text import answers
from rft.text.numbers import canonical_number

# text -> gsm8k, strict_match, flexible_extract, last_number, answer_line, paper; None is NO_ANSWER
TABLE: dict[str, tuple[str | None, ...]] = {
    "so 3 * 4 = 12\n#### 12": ("12", "12", "12", "12", "12", "12"),
    "so 3 * 4 = 12\nA: 12": (None, None, "12", "12", "12", None),
    "A: 7": (None, None, "7", "7", "7", None),
    "#### $694": (None, None, "694", "694", "694", None),
    "#### 10.": ("10.", "10", "10", "10", "10", "10."),
    "#### 1,450,000": ("1450000", "1450000", "1450000", "1450000", "1450000", "1450000"),
    "#### 10.40": ("10.40", "10.40", "10.40", "10.4", "10.4", "10.40"),
    "#### -5": ("-5", "-5", "-5", "-5", "-5", "-5"),
    "#### -$5": (None, None, "-5", "-5", "-5", None),
    "#### .5": (".5", ".5", ".5", "0.5", "0.5", ".5"),
    "#### 18\nor\n#### 20": ("18", "18", "20", "20", "20", "18"),
    "####18": (None, None, "18", "18", "18", None),
    "#### eighteen": (None, None, None, None, None, None),
    "#### 1.2.3": ("1.2.3", "1.2.3", "1.2.3", "3", "1.2", None),
    "#### ,": ("", "", None, None, None, None),
    "She has 10-4 = 6 left...": (None, None, "..", "6", None, None),
    "He pays $1,200.": (None, None, "1200", "1200", None, None),
    "It is 9am.": (None, None, "9", "9", None, None),
    "": (None, None, None, None, None, None),
    "#### \uff11\uff18": (None, None, None, None, None, None),
    "A: 3\nThen she eats 2": (None, None, "2", "2", "3", None),
}
ON_NUMBERS = tuple(name for name, rule in answers.RULES.items() if rule.numbers)
RULES = ("gsm8k", "strict_match", "flexible_extract", "last_number", "answer_line", "paper")


@pytest.mark.parametrize("text", TABLE)
def test_each_rule_extracts_what_its_definition_says(text: str) -> None:
    assert {rule: answers.extract(rule, text) for rule in RULES} == dict(zip(RULES, TABLE[text], strict=True))


@pytest.mark.parametrize(
    ("answer", "gold", "equal_under"),
    [
        ("18", "18", set(ON_NUMBERS)),
        ("18.0", "18", {"last_number", "answer_line", "paper", "paper_select"}),
        ("10.40", "10.4", {"last_number", "answer_line", "paper", "paper_select"}),
        ("1,450,000", "1450000", set(ON_NUMBERS)),
        (
            "10.",
            "10",
            {"last_number", "answer_line", "paper", "paper_select"},
        ),  # as found: of "#### 10.." by the harness
        ("18.00001", "18", {"paper"}),
        ("17", "18", set()),
    ],
)
def test_equality_is_the_rules_own(answer: str, gold: str, equal_under: set[str]) -> None:
    assert {rule for rule in ON_NUMBERS if answers.equal(rule, answer, gold)} == equal_under


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("18", "18"), ("018.50", "18.5"), ("-0.0", "0"), ("$1,450", "1450"), ("-$5", "-5"), ("$-5", "-5"), ("+3", "3"),
        ("1/2", None), ("", None), (",", None), ("$", None), ("1e3", "1000"), ("1.5E+2", "150"),
        ("2.0107e-06", "0.0000020107"), ("0,5", None), ("1,2", None), ("12,34", None), ("1,234,567.5", "1234567.5"),
        ("\u22125", "-5"), ("\u2013 5", "-5"), ("- 5", "-5"), ("-$1,000", "-1000"), ("\u0661", None), (" 7 ", "7"),
        ("9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_one_spelling_for_a_number(text: str, number: str | None) -> None:
    assert canonical_number(text) == number


def test_truncation_matters_only_where_the_answer_may_be_incomplete() -> None:
    assert answers.grade("gsm8k", "3*17=51\n#### 51\nand then", "51", True) is Outcome.CORRECT
    assert answers.grade("gsm8k", "3*17=51\n#### 5", "51", True) is Outcome.TRUNCATED
    assert answers.grade("gsm8k", "3*17=51\n", "51", True) is Outcome.TRUNCATED
    assert answers.grade("gsm8k", "3*17=51\n", "51", False) is Outcome.NO_ANSWER
    assert answers.grade("gsm8k", "3*17=51\n#### 5", "51", False) is Outcome.WRONG


def test_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean strict_match"):
        answers.extract("strict-match", "")


def test_published_labels(gsm8k_dir: Path) -> None:
    """answer_line reproduces all 5,276 labels; `#### N` rules find no answer in texts that end in `A: N`."""
    agree: Counter[str] = Counter()
    none: Counter[str] = Counter()
    with open(gsm8k_dir / "example_model_solutions.jsonl", encoding="utf-8") as file:
        for row in map(json.loads, file):
            gold = answers.extract("answer_line", row["ground_truth"])
            assert gold is not None
            for solution in (value for value in row.values() if isinstance(value, dict)):
                for rule in RULES:
                    outcome = answers.grade(rule, solution["solution"], gold, False)
                    agree[rule] += (outcome is Outcome.CORRECT) == solution["is_correct"]
                    none[rule] += outcome is Outcome.NO_ANSWER
    assert agree == dict.fromkeys(("gsm8k", "strict_match", "paper"), 3275) | dict.fromkeys(
        ("flexible_extract", "last_number", "answer_line"), 5276
    )
    assert none == {
        "gsm8k": 5276,
        "strict_match": 5276,
        "paper": 5276,
        "answer_line": 11,
        "flexible_extract": 0,
        "last_number": 0,
    }


@pytest.mark.parametrize("rule", ON_NUMBERS)
@pytest.mark.parametrize("text", ["#### " * 1_000_000, "9" * 5_000_000, "\ud800\x00#### 4\x00", ",.$-" * 1_000_000])
def test_hostile_text_returns(rule: str, text: str) -> None:
    answers.grade(rule, text, "4", False)
