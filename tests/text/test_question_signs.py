"""Signs of a question: each one changes the problem, whatever alphabet it is from; typography and spellings do not."""

from __future__ import annotations

import itertools
import random
import string
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rft.config import WorldConfig
from rft.records import Problem
from rft.text.gsm8k import normalised_question, problems_of
from rft.text.mixture import mixed
from rft.text.overlap import Asked, grouped_otherwise, normalise, normalised_before, overlaps, refuse_overlap
from rft.text.world import WorldSplit, world_problems
from tests.world_settings import EASY, MIDDLE

MATHEMATICAL = [one for one in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(one) == "Sm"]
BRACKETS = [
    one
    for one in map(chr, range(0x2200, 0x2E00))
    if unicodedata.category(one) in ("Ps", "Pe") and unicodedata.normalize("NFKC", one) == one
]
TYPED = [one for one in string.punctuation if one not in "$`\"'?.,;:!"]


def rows(questions: list[str], answer: str = "#### 1") -> list[tuple[str, dict[str, str]]]:
    return [(f"line {i}", {"question": q, "answer": answer}) for i, q in enumerate(questions, start=1)]


@pytest.mark.parametrize("signs", [MATHEMATICAL, BRACKETS, TYPED], ids=["Sm", "brackets", "typed"])
@pytest.mark.parametrize("around", ["what is 2{}3", "what is 2 {} 3", "what is a {} b"])
def test_a_sign_between_operands_is_never_lost(signs: list[str], around: str):
    """By Unicode's own table of mathematical signs, of which the code has no list."""
    assert len(signs) > 20
    bare = {normalise(around.replace("{}", one)) for one in ("", " ")}
    lost = [one for one in signs if normalise(around.replace("{}", one)) in bare]
    assert lost == []


def test_unlike_signs_stay_unlike():
    """But for those that Unicode calls one, and a short list of spellings: other operators, relations, sets, brackets."""
    signs = [*"+*/=<>≤≥≠±∓∪∩∈∉⊂⊃⊆⊇∖∧∨∀∃√∛→←↔∞∑∏∫⌊⌋⌈⌉()[]{}|‖%‰^_~&°¢€£¥≈≡∝⊥∥∠△", "-", ":", "!"]
    forms = {normalise(f"what is 7 {one} 8 ?"): one for one in signs}
    assert len(forms) == len(signs)


DIFFERENT = [
    ("What is (2 + 3) * 4?", "What is 2 + 3 * 4?"),
    ("What is 8 / (2 * 2)?", "What is (8 / 2) * 2?"),
    ("What is 5!?", "What is 5?"),
    ("What is 5!!?", "What is 5!?"),
    ("Divide n! by 3", "Divide n by 3"),
    ("What is 3²?", "What is 32?"),
    ("What is 1½ of 8?", "What is 11/2 of 8?"),
    ("Convert 10₂", "Convert 102"),
    ("Simplify n - k", "Simplify n k"),
    ("Simplify x-y", "Simplify x y"),
    ("Simplify AB - CD", "Simplify AB CD"),
    ("Solve -x = 3", "Solve x = 3"),
    ("Solve 3 - (-x)", "Solve 3 + (-x)"),
    ("Find $-\\frac{1}{2}$", "Find $\\frac{1}{2}$"),
    ("Find $-\\sqrt{2}$", "Find $\\sqrt{2}$"),
    ("Find $f'(x)$", "Find $f(x)$"),
    ("How long is 5'?", 'How long is 5"?'),
    ("Add 1 + 2 + ... + 9", "Add 1 + 2 + 9"),
    ("? + 3 = 5", "+3 = 5"),
    ("Divide in the ratio a:b", "Divide in the ratio a b"),
    ("Divide in the ratio 3 : 4", "Divide in the ratio 3 4"),
    ("The matrix [1 2; 3 4]", "The matrix [1 2 3 4]"),
    ("The pair (x, y)", "The pair (x y)"),
    ("The interval (a, b]", "The interval [a, b)"),
    ("Is $x \\le 5$?", "Is $x \\ge 5$?"),
    ("The set $\\{1, 2\\}$", "The term ${1, 2}$"),
    ("Find $x_{1}$", "Find $x^{1}$"),
    ("Find $0.\\overline{3}$", "Find $0\\overline{3}$"),
    ("a & b \\\\ c & d", "a & b & c & d"),
    ("An angle of 30°", "An angle of 30"),
    ("It costs 5¢", "It costs $5"),
    ("f: A -> B", "f: A > B"),
    ("What is 10-sqrt(16)?", "What is 10sqrt(16)?"),
    ("What is 10 — sqrt(16)?", "What is 10 sqrt(16)?"),
    ("Simplify log x-log y", "Simplify log x log y"),
    ("Find the profit: revenue - cost = ?", "Find the profit: revenue cost = ?"),
    ("What is 5--3?", "What is 5-3?"),
    ("Is sin theta - cos theta less than 1?", "Is sin theta cos theta less than 1?"),
    ("How much is 100 - total if the total is 7?", "How much is 100 total if the total is 7?"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_a_reader_solves_otherwise_is_another_question(one: str, other: str):
    assert normalise(one) != normalise(other)
    assert overlaps([Asked(one, "1")], [Asked(other, "2")]) == []


LEFT = [
    "10",
    "sin(x)",
    "sin x",
    "log x",
    "5!",
    "|x|",
    "7%",
    "gcd(12, 18)",
    "$\\sin x$",
    "revenue",
    "twelve",
    "x²",
    "f'",
]
RIGHT = [
    "sqrt(16)",
    "cos(x)",
    "cos x",
    "ln 2",
    "lcm(4, 6)",
    "___",
    "□",
    "?",
    "...",
    "$\\cos x$",
    "cost",
    "one",
    "abs(-3)",
]


@pytest.mark.parametrize("minus", "-−–")
def test_a_spaced_minus_sign_counts_whatever_stands_on_its_sides(minus: str):
    """All pairs of terms: the difference is not the product, nor the sum."""
    for left, right in itertools.product(LEFT, RIGHT):
        forms = {normalise(f"Find {left} {sign}{right} = 3") for sign in ("", f"{minus} ", "+ ")}
        assert len(forms) == 3, (left, right)


TYPED_OTHERWISE = [
    ("Tom was born in 2005.He is now 20.", "Tom was born in 2005. He is now 20."),
    ("Find the vertex of y = x^{2} + 4x.", "Find the vertex of y = x^2 + 4x."),
    ("Add x_{1} and 3", "Add x_1 and 3"),
    ("He was born May 5, 2005.", "He was born May 5 2005."),
    ("He has 12! How many are left?", "He has 12. How many are left?"),
    ("How much H₂O is in 5 bottles?", "How much H2O is in 5 bottles?"),
    ("1. What is half of 6?", "1) What is half of 6?"),
    ("Buy:\n- eggs\n- milk", "Buy:\n• eggs\n• milk"),
    ("He ran 5 miles... How far?", "He ran 5 miles. How far?"),
    ("The ratio is 2:3. There are 10.", "The ratio is 2 : 3. There are 10."),
    ("It costs 10 -- or 12?", "It costs 10 — or 12?"),
    ("A 20-year-old (red) cat", "A 20 - year - old red cat"),
]


@pytest.mark.parametrize(("one", "other"), TYPED_OTHERWISE)
def test_a_leak_is_refused_in_doubt_and_both_texts_are_named(one: str, other: str):
    assert normalise(one) != normalise(other)  # two rows of a file
    for gold, same in (("5", "5.0"), ("5", None), ("\\frac12", "1/2"), ("A", "A")):
        assert overlaps([Asked("new", "1"), Asked(one, gold)], [Asked("old", "1"), Asked(other, same)]) == [(1, 1)]
    with pytest.raises(ValueError, match="question 1, test question 1") as error:
        refuse_overlap([Asked(one, "5")], [Asked(other, "5")], name="mine")
    assert repr(one) in str(error.value)
    assert repr(other) in str(error.value)
    assert overlaps([Asked(one, "5")], [Asked(other, "6")]) == []  # another problem: these may differ in a sign


def test_of_several_test_questions_the_one_with_this_answer_is_the_leak():
    test = [Asked("What is 5!", "120"), Asked("What is 5?", "5"), Asked("what is (5)", "5")]
    assert overlaps([Asked("What is 5.", "5.0"), Asked("what is 5!!", "15"), Asked("What is (5)?", "6")], test) == [
        (0, 1),  # the same text, before one that differs in brackets
        (2, 2),  # the same text, whatever the answers
    ]


SAME = [
    ("Is x <= 5?", "Is x ≤ 5?"),
    ("Is x >= 5?", "Is x ⩾ 5?"),
    ("Is x != 5?", "is x  ≠  5"),
    ("Find x² + 1", "Find x^2 + 1"),
    ("Find 1½", "Find 1 1/2"),
    ("Find 3 − 5", "Find 3 - 5"),
    ("Find 2 × 6 ÷ 3", "Find 2*6/3"),
    ("Find （２＋３）", "Find (2+3)"),
    ("1 + 2 + … + 9", "1 + 2 + ... + 9"),
    ("f’(x), f′(x)", "f'(x), f'(x)"),
    ("He said “5”.", 'He said "5".'),
    ("He said ‘5’.", 'He said 5'),
    ("The boys’ 5 cats", "The boys' 5 cats!"),
    ("Wow! How many?!", "wow. how many"),
    ("He ate 2.5! How many?", "He ate 2.5. How many?"),
    ("A 20-year-old's T-shirt on the x-axis", "a 20 year old’s T shirt on the x axis"),
    ("A 4-ft board — really", "A 4 ft board, really"),
    ("No -- twice", "no, twice"),
    ("A bite - size T - shirt for grown - ups in town", "a bite-size T-shirt for grown-ups in town"),
    ("He pays $1,450; she 2", "he pays 1450: she 2."),
    ("Find \\(x + 1\\)", "Find $x+1$"),
    ("Find $\\left(x\\,+\\,1\\right)$", "Find $(x+1)$"),
    ("50\\% of \\$8", "50% of 8"),
    ("a\u00a0b\u200b, 3\u00ad4", "A b, 34"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_typography_and_spellings_of_one_sign_are_one(one: str, other: str):
    assert normalise(one) == normalise(other)


MARKED = st.text(alphabet=st.sampled_from("ab5 .,:;?!'\"-–—−$()\\\u00a0²½…İß"), max_size=30)


@settings(max_examples=1000, deadline=None)
@given(MARKED, st.randoms(use_true_random=False))
def test_case_and_white_space_never_count(text: str, rng: random.Random):
    """Two problems with one id (its text but for these) would be one problem twice."""
    other = "".join(rng.choice((" ", "\n", " \t ")) if one == " " else one for one in text)
    other = rng.choice(("", " ")) + rng.choice((other, other.casefold())) + rng.choice(("", "\n"))
    assert normalised_question(other) == normalised_question(text)
    assert normalise(other) == normalise(text)


@settings(max_examples=1000, deadline=None)
@given(
    st.lists(st.sampled_from([*"ab5.,:;!-–—+=(² ", "12", "the ", "cos "]), max_size=8),
    st.randoms(use_true_random=False),
)
def test_no_leak_of_the_former_form_is_missed(parts: list[str], rng: random.Random):
    """By that form itself, on a text and the same with signs put in that it leaves out, or taken away."""
    text = "".join(parts)
    other = "".join(rng.choice(("", "(", "!", " ", one)) if one in "(!;—, " else one for one in parts)
    found = overlaps([Asked(text, "7")], [Asked(other, "7.0")])
    assert found == [(0, 0)] or normalised_before(text) != normalised_before(other)


LESS_AND_MORE = [
    f"Of the whole numbers from 1 to {2 * n + 1}, how many are {sign} {n + 1}?" for n in range(3, 15) for sign in "≤≥"
]


@pytest.mark.parametrize("solutions", [None, "first", "all"])
def test_problems_that_differ_in_a_sign_are_all_kept_with_their_own_solutions(solutions: str | None):
    """Equal golds, so that the second would be a further solution of the first."""
    given_rows = [(place, {**row, "answer": f"way {place}\n#### 3"}) for place, row in rows(LESS_AND_MORE)]
    read = problems_of(given_rows, name="file", solutions=solutions)
    assert [problem.question for problem in read.problems] == LESS_AND_MORE
    assert [problem.solutions for problem in read.problems] == [(f"way line {i}\n#### 3",) for i in range(1, 25)]
    assert read.dropped == {}


def test_files_are_grouped_otherwise_exactly_where_a_reading_changes():
    """Brute force: a partition of the rows by either form, over all files of three questions."""
    questions = ["5!", "5", "5.", "x <= 1", "x ≤ 1", "x < = 1", "x ≥ 1", "(2)", "2", "2²", "22", "a b"]
    outcomes = set()
    for asked in itertools.product(questions, repeat=3):
        parts = [
            {frozenset(i for i, one in enumerate(asked) if form(one) == form(first)) for first in asked}
            for form in (normalise, normalised_before)
        ]
        outcomes.add(parts[0] != parts[1])
        assert grouped_otherwise(asked) == (parts[0] != parts[1])
    assert outcomes == {True, False}


def test_readings_name_all_rows_that_they_group():
    read = problems_of(rows(["Half of 5?", "half of 5", "Half of 5!"]), name="file", drop_duplicates=True)
    assert read.asked == ["Half of 5?", "half of 5", "Half of 5!"]
    parts = {"a": [Problem("1", "Half of 5?", "", "1")], "b": [Problem("2", "Half of 5!", "", "1")]}
    assert mixed(parts, weights=[]).asked == ["Half of 5?", "Half of 5!"]
    assert len(mixed(parts, weights=[]).problems) == 2


@pytest.mark.parametrize("world", [EASY, MIDDLE])
def test_the_embedded_world_has_no_such_signs(world: WorldConfig):
    """So that what is computed of it holds: its questions are grouped, and written, as before."""
    problems = world_problems(world, split=WorldSplit.POOL, count=1000)
    assert not grouped_otherwise(problem.question for problem in problems)
    assert all(normalise(problem.question) == normalised_before(problem.question) for problem in problems)
