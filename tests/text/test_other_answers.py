"""Answers that are no numbers: mathematics, text, letters; and votes by class of equal answers."""

from __future__ import annotations

import dataclasses
import itertools
import random
import threading
import time

import numpy as np
import pytest

from rft.records import Outcome, Problem, Sample
from rft.text import answers, math_process
from rft.text.answers import RULES, equal, extract, gold_fault, grade, same_gold, vote_classes
from rft.text.rule import Rule
from rft.text.scoring import rivals
from rft.text.selection import policy_named, select
from rft.votes import Tally, maj_at_k

# (gold, answer, whether they are equal): values of math-verify's own tests (tests/test_all.py)
CASES = [
    ("10/9", r"\frac{10}{9}", True),
    ("-10/9", r"-\frac{10}{9}", True),
    ("[0,1)", "[0,1)", True),
    ("[0,9)", "[0,1)", False),
    ("(0,9)", "[0,9)", False),
    ("1", "-[0,1)", False),
    ("1/3", r"\frac13", True),
    ("1", r"\frac3{3}", True),
    (r"\sqrt{3}", r"\sqrt3", True),
    ("1/3", r"\dfrac{1}{3}", True),
    ("1/3", r"\left( \frac{1}{3} \right)", True),
    ("1/3", r"k = \frac{1}{3}", True),
    ("0.28", "28", False),
    ("28/100", "28", False),
    ("2-2p", "2-2p", True),
    (r"\text{Evelyn}", r"\text{Evelyn}", True),
    ("14{,}916", "14916", True),
]


@pytest.fixture(scope="module")
def _math() -> None:
    pytest.importorskip("math_verify")


@pytest.mark.usefixtures("_math")
@pytest.mark.parametrize(("gold", "answer", "same"), CASES)
def test_cases_of_math_verify(gold: str, answer: str, same: bool) -> None:
    found = grade("math_verify", rf"So it is $\boxed{{{answer}}}$.", gold, False)
    assert found is (Outcome.CORRECT if same else Outcome.WRONG)


@pytest.mark.usefixtures("_math")
def test_the_gold_answer_comes_first() -> None:
    """Documented: an interval for a relation is accepted of a prediction, a relation for an interval is not."""
    from math_verify import parse, verify

    interval, relation = "(1,2)", "1 < x < 2"
    # without its time limits, which are wall-clock seconds: a busy machine would be told apart from an idle one
    first, second = (parse(f"\\boxed{{{text}}}", parsing_timeout=None) for text in (relation, interval))
    theirs, other = verify(first, second, timeout_seconds=None), verify(second, first, timeout_seconds=None)
    assert theirs is not other, "no longer a case that tells the order"
    assert equal("math_verify", interval, relation) is theirs
    assert equal("math_verify", relation, interval) is other
    assert same_gold("math_verify", interval, relation)
    assert same_gold("math_verify", relation, interval)


@pytest.mark.usefixtures("_math")
def test_it_works_in_a_thread_and_an_absurd_answer_is_broken_off() -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(equal("math_verify", "0.25", r"\frac{1}{4}")))
    thread.start()
    thread.join()
    assert found == [True]
    begin = time.process_time()
    assert not equal("math_verify", "9^{9^{9^9}}", "4")
    assert time.process_time() - begin < 1, "computed in this process"
    assert equal("math_verify", "0.5", r"\frac{1}{2}"), "the process beside was not replaced"


@pytest.mark.usefixtures("_math")
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed{1} no, \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        ("#### 7\nmore", "7"),
        (r"\boxed{3} then #### 4", "4"),
        ("The answer is $x^2$", "x^2"),
        ("no idea", None),
        ("#### 7.", "7"),
        (r"\boxed{x^2.}", "x^2"),
    ],
)
def test_what_is_read_as_the_answer(text: str, answer: str | None) -> None:
    assert extract("math_verify", text) == answer


@pytest.mark.usefixtures("_math")
@pytest.mark.parametrize(("answer", "gold"), [("7.", "7"), ("7", "7."), ("$x+1$.", "1+x"), (r"\frac{1}{2}.", "0.5")])
def test_the_full_stop_of_a_sentence_is_no_part_of_an_answer(answer: str, gold: str) -> None:
    """To math-verify itself `#### 7.` is 7; only in a box, in which answers are compared here, it reads no number."""
    assert grade("math_verify", f"So it is.\n#### {answer}", gold, False) is Outcome.CORRECT


@pytest.mark.usefixtures("_math")
@pytest.mark.parametrize(
    ("text", "gold"),
    [
        ("The answer is $7.$", "7"),
        ("it is 1/2.", r"\frac{1}{2}"),
        (r"So it is $50\%$.", "50"),
        ("It is 3.50.", "3.5"),
    ],
)
def test_an_answer_that_nothing_marks_is_graded_as_in_a_box(text: str, gold: str) -> None:
    """And as by math-verify, which finds it: only in a box, in which answers are compared here, `7.` is no number to it."""
    from math_verify import parse, verify

    assert grade("math_verify", text, gold, False) is Outcome.CORRECT
    assert verify(parse(f"${gold}$", parsing_timeout=None), parse(text, parsing_timeout=None), timeout_seconds=None)


@pytest.mark.usefixtures("_math")
def test_a_text_that_was_cut_is_graded_where_its_box_is_closed() -> None:
    assert grade("math_verify", r"\boxed{7} and", "7", True) is Outcome.CORRECT
    assert grade("math_verify", "#### 7", "7", True) is Outcome.TRUNCATED
    assert grade("math_verify", r"\boxed{7", "7", True) is Outcome.TRUNCATED


@pytest.mark.parametrize(
    ("rule", "text", "gold", "outcome"),
    [
        ("choice", "so (B).\n#### B", "B", Outcome.CORRECT),
        ("choice", "The answer is (c)", "C", Outcome.CORRECT),
        ("choice", r"\boxed{\text{D}}", "(D)", Outcome.CORRECT),
        ("choice", "Answer: A", "B", Outcome.WRONG),
        ("choice", "A good question", "A", Outcome.NO_ANSWER),
        ("choice", "The answer is a triangle of three sides", "A", Outcome.NO_ANSWER),
        ("choice", "The answer is B. Mind that the other answer is a bit off", "B", Outcome.CORRECT),
        ("choice", "the answer is b.\nNext", "B", Outcome.CORRECT),
        ("choice", "the answer is b\nNext", "B", Outcome.CORRECT),
        ("choice", "the answer is b) 7", "B", Outcome.CORRECT),
        ("choice", "The answer is A because", "A", Outcome.CORRECT),
        ("choice", "#### None of these", "A", Outcome.NO_ANSWER),
        ("choice", "The answer is B or C", "B", Outcome.NO_ANSWER),
        ("choice", "The answer is A/B", "A", Outcome.NO_ANSWER),
        ("choice", "The answer is (A) and (B).", "A", Outcome.NO_ANSWER),
        ("choice", "#### (B) or (C)", "B", Outcome.NO_ANSWER),
        ("choice", "The answer is I think C", "I", Outcome.NO_ANSWER),
        ("choice", "The answer is E1", "E", Outcome.NO_ANSWER),
        ("choice", "The answer is B, I think", "B", Outcome.CORRECT),
        ("choice", "The answer is **B**.", "B", Outcome.CORRECT),
        ("choice", "Answer: B. Paris", "B", Outcome.CORRECT),
        ("choice", "Answer: (B) Paris and Rome", "B", Outcome.CORRECT),
        ("choice", r"\boxed{B. Paris}", "B", Outcome.CORRECT),
        ("choice", "the answer is E=mc^2", "E", Outcome.NO_ANSWER),
        ("choice", "The answer is A < 3", "A", Outcome.NO_ANSWER),
        ("choice", "**Answer:** C", "C", Outcome.CORRECT),
        ("choice", r"\boxed{\textbf{(D)}}", "D", Outcome.CORRECT),
        ("choice", r"\boxed{\mathrm{C}}", "C", Outcome.CORRECT),
        ("choice", "#### [C]", "C", Outcome.CORRECT),
        ("choice", "#### [C] or [D]", "C", Outcome.NO_ANSWER),
        ("exact", "**Answer:** Paris", "Paris", Outcome.CORRECT),
        ("exact", "#### The\nSeine", "The\nSeine", Outcome.WRONG),
        ("exact", "#### The Seine", "The\nSeine", Outcome.CORRECT),
        ("exact", "#### caf\u00e9", "cafe\u0301", Outcome.CORRECT),
        ("exact", "#### The  Seine", "The Seine", Outcome.CORRECT),
        ("exact", "#### the Seine", "The Seine", Outcome.WRONG),
        ("exact", "The Seine", "The Seine", Outcome.NO_ANSWER),
    ],
)
def test_letters_and_text(rule: str, text: str, gold: str, outcome: Outcome) -> None:
    assert grade(rule, text, gold, False) is outcome


@pytest.mark.parametrize(("rule", "gold"), [("choice", "BB"), ("choice", "7"), ("exact", " ")])
def test_a_gold_answer_that_a_rule_cannot_read_is_refused(rule: str, gold: str) -> None:
    assert f"rule {rule} finds no answer" in gold_fault(rule, gold)


def _toy() -> Rule:
    """1 ~ 2, 2 ~ 3 in one order alone, and nothing else: neither symmetric nor transitive."""
    pairs = {("1", "2"), ("3", "2")}
    return Rule("toy", RULES["exact"].find, lambda one, other: one == other or (one, other) in pairs, "", numbers=False)


def test_classes_do_not_depend_on_the_order_of_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(answers.RULES._things, "toy", _toy())  # type: ignore[attr-defined]
    draws = ["1", "2", "3", "4", None, "2"]
    for order in itertools.permutations(range(len(draws))):
        found = vote_classes("toy", [draws[i] for i in order])
        by_draw = {draws[i]: number for i, number in zip(order, found, strict=True)}
        assert by_draw["1"] == by_draw["2"] == by_draw["3"] != by_draw["4"]
        assert by_draw[None] is None


@pytest.mark.parametrize("seed", range(20))
def test_a_vote_does_not_depend_on_the_order_of_draws(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a relation at random, neither symmetric nor transitive: what is right, who shares a vote, and what maj@k is.

    Which draws share a vote is held to a graph's components, searched for here in another way.
    """
    rng = random.Random(seed)
    names = "abcdefgh"
    pairs = {(one, other) for one in names for other in names if rng.random() < 0.12}
    toy = dataclasses.replace(
        RULES["exact"], name="toy", equal=lambda one, other: one == other or (one, other) in pairs
    )
    monkeypatch.setitem(answers.RULES._things, "toy", toy)  # type: ignore[attr-defined]
    texts = [f"#### {rng.choice(names)}" if rng.random() < 0.9 else "none" for _ in range(24)]
    seen = set()
    for _ in range(12):
        rng.shuffle(texts)
        letters = "".join(grade("toy", text, "a", False).letter for text in texts)
        found = [extract("toy", text) for text in texts]
        votes = rivals(letters, found, rule="toy")
        tally = Tally.of(letters, votes)
        shares = frozenset(
            frozenset(one for one, mine in zip(found, votes, strict=True) if mine == vote)
            for vote in votes
            if vote is not None
        )
        seen.add((tally, shares, tuple(maj_at_k(tally, ks=[1, 5, 24]))))
    ((tally, shares, _),) = seen
    wrong = {one for one in found if one is not None and one != "a" and (one, "a") not in pairs}
    assert tally.num_correct == sum(one == "a" or (one, "a") in pairs for one in found)
    assert shares == components(wrong, pairs)


def components(wrong: set[str], pairs: set[tuple[str, str]]) -> frozenset[frozenset[str]]:
    """By powers of the adjacency matrix, made symmetric."""
    order = sorted(wrong)
    joined = np.array([[i == j or (i, j) in pairs or (j, i) in pairs for j in order] for i in order])
    reach = np.linalg.matrix_power(joined.astype(float), len(order)) > 0
    return frozenset(frozenset(name for name, there in zip(order, row, strict=True) if there) for row in reach)


@pytest.mark.usefixtures("_math")
def test_votes_of_mathematics_do_not_depend_on_the_order_of_draws() -> None:
    """0.333333 and 0.3333334 are both 1/3 to math-verify; an interval is a relation in one direction alone."""
    draws = ["1<x<2", "(1,2)", "1,2", "3", "0.333333", "1/3", "0.3333334", "x>1", "4"]
    seen = set()
    for order in [draws, draws[::-1], sorted(draws), sorted(draws, key=len)]:
        classes = vote_classes("math_verify", order)
        seen.add(frozenset(frozenset(d for d, c in zip(order, classes, strict=True) if c == one) for one in classes))
    (found,) = seen
    assert {frozenset({"1<x<2", "(1,2)", "1,2"}), frozenset({"0.333333", "1/3", "0.3333334"})} <= found


def test_letters_vote_as_letters() -> None:
    assert rivals("WWCWN", ["A", "B", "C", "A", None], rule="choice") == [0, 1, None, 0, None]
    assert rivals("WWCWN", ["A", "B", "C", "A", None]) == [None] * 5  # no numbers


def test_classes_of_numbers_are_those_of_their_values() -> None:
    rng = random.Random(0)
    draws = [rng.choice(["7", "7.0", "8", "x", None]) for _ in range(50)]
    values = [float(one) if one not in (None, "x") else None for one in draws]
    seen: list[float] = []
    for value in values:
        if value is not None and value not in seen:
            seen.append(value)
    assert vote_classes("gsm8k", draws) == [None if value is None else seen.index(value) for value in values]


def test_solutions_without_equations_differ_by_their_text() -> None:
    problem = Problem("g-1", "Which river?", "Paris lies on it. #### B", "B")
    texts = ["It is the Seine.\n#### B", "it is  the seine. #### B", "Paris.\n#### B", "#### A"]
    samples = [Sample("g-1", draw, text, False, 9, "m") for draw, text in enumerate(texts)]
    found = select(samples, [problem], policy=policy_named("paper", equations="text", rule="choice"))
    assert [path.draw for path in found.kept] == [0, 2]
    assert found.drop_counts["duplicate_path"] == 1
    assert found.drop_counts["wrong_answer"] == 1
    assert found.stats.distinct_per_question_with_human == 3
    one = select(samples, [problem], policy=policy_named("paper", rule="choice"))
    assert len(one.kept) == 1  # by equations all are one


def test_the_process_beside_ends() -> None:
    math_process.close()
    assert math_process._process is None
