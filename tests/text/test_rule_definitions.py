"""Grading rules against their documented definitions, written out again here from the projects' own files, and against
what a continued text would say of a text that was cut."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rft.records import Outcome
from rft.text import answers, gsm8k

ON_NUMBERS = tuple(name for name, rule in answers.RULES.items() if rule.numbers)
OWN = ("last_number", "answer_line")
OTHERS = tuple(name for name in ON_NUMBERS if name not in OWN)
FIRST_MARKED = ("gsm8k", "strict_match", "paper", "paper_select")
MARK = re.compile(r"#### (\-?[0-9\.\,]+)")


# The definitions of other projects


def harness_correct(text: str, solution: str, pattern: str, group_select: int) -> bool:
    """lm-evaluation-harness, tasks/gsm8k/gsm8k.yaml 3.0 with filters/extraction.py and exact_match of api/metrics.py."""
    matches = re.findall(pattern, text)
    prediction = "[invalid]"
    if matches:
        chosen = matches[group_select]
        prediction = (next(part for part in chosen if part) if isinstance(chosen, tuple) else chosen).strip()
    pair = [prediction, solution]
    for ignored in (",", r"\$", r"(?s).*#### ", r"\.$"):
        pair = [re.sub(ignored, "", one) for one in pair]
    return pair[0].lower() == pair[1].lower()


def openai_correct(text: str, solution: str) -> bool:
    """openai/grade-school-math, grade_school_math/dataset.py."""
    found, gold = MARK.search(text), MARK.search(solution)
    assert gold is not None
    return found is not None and found[1].replace(",", "") == gold[1].replace(",", "")


def paper_answer(text: str) -> float | None:
    """OFA-Sys/gsm8k-ScRel, eval.py and collect_rejection_sampling.py: extract_answer."""
    match = MARK.search(text[: text.find("\0")] if "\0" in text else text)
    try:
        return None if match is None else float(match[1].replace(",", ""))
    except ValueError:
        return None


TEXTS = st.lists(
    st.sampled_from(
        ["#### ", "####", "#", " ", "\n", "-", "$", ".", ",", "7", "18", "18.00", "1,450", "e3", "x", "A:", "\0"]
    ),
    max_size=12,
).map("".join)
GOLDS = st.one_of(
    st.sampled_from(
        ["7", "18", "18.00", "18.", "1,450", "1450", "-7", ".7", "718", "0.70", "$18.00", "$7", "-$7", "$1,450."]
    ),
    st.decimals(-2000, 2000, places=2).map(lambda value: f"{value:,}"),
)


@settings(max_examples=600, deadline=None)
@given(TEXTS, GOLDS)
@example("#### 18..", "18")  # the last full stop is taken off once
@example("18$ or $7.", "$7")
def test_harness_rules_are_the_harness(text: str, gold: str):
    solution = f"so 3+4\n#### {gold}"
    strict = harness_correct(text, solution, r"#### (\-?[0-9\.\,]+)", 0)
    flexible = harness_correct(text, solution, r"(-?[$0-9.,]{2,})|(-?[0-9]+)", -1)
    assert (answers.grade("strict_match", text, gold, False) is Outcome.CORRECT) == strict
    assert (answers.grade("flexible_extract", text, gold, False) is Outcome.CORRECT) == flexible


@settings(max_examples=600, deadline=None)
@given(TEXTS, GOLDS.filter(lambda gold: "$" not in gold))  # those projects find no gold answer in '#### $18.00'
@example("\0#### 7", "7")  # the paper's scripts cut a text at a NUL
@example("#### 7\0", "7")
def test_marked_rules_are_those_of_their_projects(text: str, gold: str):
    solution = f"so 3+4\n#### {gold}"
    assert (answers.grade("gsm8k", text, gold, False) is Outcome.CORRECT) == openai_correct(text, solution)
    mine, theirs = paper_answer(text), paper_answer(solution)
    assert theirs is not None
    near = mine is not None and abs(mine - theirs) < 1e-4
    assert (answers.grade("paper", text, gold, False) is Outcome.CORRECT) == near
    assert (answers.grade("paper_select", text, gold, False) is Outcome.CORRECT) == (mine == theirs)


@pytest.mark.parametrize("text", ["#### 18.00", "so $18.00.\n#### 18.00"])
def test_the_dollar_sign_of_a_gold_answer_is_ignored_as_that_of_an_answer(text: str):
    assert answers.grade("strict_match", text, "$18.00", False) is Outcome.CORRECT
    assert answers.grade("strict_match", text, "$18", False) is Outcome.WRONG, "texts are compared"


# Gold answers in scientific notation


@pytest.mark.parametrize("gold", ["1e3", "1E3", "1.0e3", "$1e3", "+1e3", "1e+3", "1.e3"])
@pytest.mark.parametrize("rule", ON_NUMBERS)
def test_no_gold_answer_is_graded_by_its_mantissa(rule: str, gold: str):
    if rule in OWN:
        outcomes = [
            answers.grade(rule, f"#### {answer}", gold, False) for answer in ("1000", "1e3", "1,000.0", "1", "3")
        ]
        assert outcomes == [Outcome.CORRECT] * 3 + [Outcome.WRONG] * 2
        return
    if answers.gold_fault(rule, gold):
        with pytest.raises(ValueError, match=rf"from the gold answer '{re.escape(gold)}': write it as 1000"):
            answers.grade(rule, "#### 1", gold, False)
        return
    # where the project would find no answer, such as in '$1e3', the number counts
    outcomes = [answers.grade(rule, f"#### {answer}", gold, False) for answer in ("1000", "1", "3")]
    assert outcomes == [Outcome.CORRECT, Outcome.WRONG, Outcome.WRONG]


@settings(max_examples=400, deadline=None)
@given(
    st.decimals(-5000, 5000, places=2),
    st.integers(-3, 4),
    st.sampled_from(["{}", "${}", "+{}", "{}e{}", "{}E{:+}", " {} "]),
    st.decimals(-5000, 5000, places=2),
    st.sampled_from(sorted(ON_NUMBERS)),
)
def test_correct_means_equal_to_the_number_that_the_gold_answer_writes(
    value: Decimal, exponent: int, spelling: str, other: Decimal, rule: str
):
    value = abs(value) if spelling[0] == "+" else value
    gold = spelling.format(value, exponent)
    number = value.scaleb(exponent) if "e" in spelling.lower() else value
    if answers.gold_fault(rule, gold):
        assert rule not in OWN
        return
    for answer in (value, other, number):
        correct = answers.grade(rule, f"#### {answer:f}", gold, False) is Outcome.CORRECT
        assert not correct or abs(answer - number) < Decimal("1e-4")
    if rule in OWN:
        assert answers.grade(rule, f"#### {number:f}", gold, False) is Outcome.CORRECT


@pytest.mark.parametrize("solution", ["5*200=<<5*200=1000>>1000\n#### 1e3", "so\n#### 1000", "so"])
@pytest.mark.parametrize("rule", ON_NUMBERS)
def test_loading_refuses_what_the_rule_misreads(tmp_path: Path, rule: str, solution: str):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"question": "Q?", "solution": solution, "gold": "1e3"}) + "\n")
    if rule in OWN:
        assert len(gsm8k.read_problems(path, rule=rule)) == 1
        return
    with pytest.raises(
        ValueError, match=rf"line 1 cannot be graded: rule {rule} reads '[13]' from the gold answer '1e3'"
    ):
        gsm8k.read_problems(path, rule=rule)
    more = path.read_text() + json.dumps({"question": "R?", "solution": "so", "gold": "7"}) + "\n"
    path.write_text(more)
    kept = gsm8k.read_file(path, gsm8k.ReadAs(rule=rule, on_bad_gold="drop", on_duplicate="error"))
    assert ([problem.gold for problem in kept.problems], kept.dropped) == (["7"], {"bad_gold": 1})


# Texts that were cut

CONTINUATIONS = ("0", "5 apples", ".5", ",000", "e3", "-", " ", "\n#### 9", "x")


@settings(max_examples=600, deadline=None)
@given(TEXTS, st.sampled_from(FIRST_MARKED))
def test_a_cut_text_is_graded_when_no_continuation_can_change_it(text: str, rule: str):
    """Where the first answer counts, what follows a complete one cannot matter."""
    outcome = answers.grade(rule, text, "18", True)
    found = {answers.extract(rule, text + more) for more in CONTINUATIONS}
    if outcome is Outcome.TRUNCATED:
        assert len(found) > 1 or found == {None} or answers.extract(rule, text) is None
    else:
        assert found == {answers.extract(rule, text)}
        assert outcome is answers.grade(rule, text, "18", False)


@pytest.mark.parametrize("rule", [*FIRST_MARKED, "answer_line"])
@pytest.mark.parametrize("last", ["5", ".", ",", "$", "-", "five", ""])
def test_the_last_character_of_a_cut_text_says_nothing(rule: str, last: str):
    text = f"#### 72\n\nQuestion: Tom has {last}"
    assert answers.grade(rule, text, "72", True) is Outcome.CORRECT
    assert answers.grade(rule, text, "73", True) is Outcome.WRONG


@pytest.mark.parametrize("number", ["-1,234.5e-3", "72", "$1,450.50", "1e5", ".5"])
@pytest.mark.parametrize("rule", ["last_number", "flexible_extract"])
def test_a_number_that_may_go_on_is_no_answer_yet(rule: str, number: str):
    if rule == "flexible_extract" and "e" in number:
        number = number.partition("e")[0]  # that rule knows no exponents
    text = f"So the answer is {number}"
    digits = next(i for i, letter in enumerate(text) if letter in "0123456789")
    for cut in range(digits + 1, len(text) + 1):
        assert answers.grade(rule, text[:cut], "72", True) is Outcome.TRUNCATED, text[:cut]
        whole = answers.grade(rule, f"{text[:cut]} apples -", "72", True)
        # '1,4' is no number: its comma stands before no three digits
        assert (whole is Outcome.TRUNCATED) == (answers.extract(rule, f"{text[:cut]} apples") is None), text[:cut]
    assert answers.grade(rule, f"{text}.", "72", True) is Outcome.TRUNCATED, "the full stop may be a point"


def test_an_answer_line_is_complete_with_its_line():
    for cut in ("A: 3", "A: 3 + 4", "A: 3 + 4 =", "A: 3 + 4 = 7", "A: 3 + 4 = 7 apples"):
        assert answers.grade("answer_line", cut, "7", True) is Outcome.TRUNCATED
        assert answers.grade("answer_line", f"{cut}\nNow", "7", True) in (Outcome.CORRECT, Outcome.WRONG)


# This project's own rules


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Here is the answer:\n- 42", "42"), ("Here:\n\n  - $42.", "42"), ("- 42", "42"), ("> \u2013 42", "42"),
        ("so\n---\n42", "42"), ("so\n---\n\n42", "42"), ("the answer -- 42", "42"), ("so\n-42", "-42"), ("x = - 42", "-42"),
        ("- -42", "-42"), ("- x = -42", "-42"), ("**-42**", "-42"), ("The answer is 1e5.", "100000"),
        ("It is 1.5E+2. Done.", "150"), ("see 2e5.py", "5"),
    ],
)  # fmt: skip
def test_last_number_reads_bullets_and_exponents_as_they_are_meant(text: str, number: str):
    assert answers.extract("last_number", text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### 1e5.", "100000"), ("A: 3 + 4 = 7", "7"), ("A: 3 + 4 = $7 (of 9)", "7"), ("#### 7 apples, not 8", "7"),
        ("#### <<3+4=7>>7", "7"), ("#### - 5", "-5"), ("A: x = - 5", "-5"), ("x = 9\nA: 7 =", "7"), ("a = 9 #### 7", "7"),
    ],
)  # fmt: skip
def test_answer_line_reads_what_the_line_comes_to(text: str, number: str):
    assert answers.extract("answer_line", text) == number


@given(st.decimals(0, 10**6, places=3), st.sampled_from(["- {}", "* {}", "\u2013 {}", "{}", "{}.", "= {}", "**{}**"]))
def test_a_list_says_what_its_line_says(value: Decimal, line: str):
    for before in ("", "Here is the answer:\n", "Adding up gives\n\n", "so it is 3.\n"):
        text = before + line.format(value)
        assert Decimal(answers.extract("last_number", text) or "none") == value
