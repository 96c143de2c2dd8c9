"""The numbers-changed copy: certain links only, golds that follow from the new question, seeded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rft.records import Problem
from rft.text import equations, gsm8k
from rft.text.perturb import REASONS, perturb

CLIPS = Problem(
    "g-1",
    "Ann sold clips to 48 friends, and then half as many. She earns $1,200 each, 20% of it saved. How much is saved?",
    "48/2=<<48/2=24>>24\n48+24=<<48+24=72>>72\n72*1200=<<72*1200=86400>>86400\n<<86400*.2=17280>>\n#### 17280",
    "17280",
)


def test_gold_follows_from_the_new_numbers() -> None:
    (copy,) = perturb([CLIPS], seed=0).problems
    words = copy.question.replace("$", "").replace("%", "").replace(",", "").split()
    friends, price, percent = (float(word) for word in words if word[0].isdigit())
    assert (friends, price, percent) != (48, 1200, 20)
    assert 24 <= friends <= 96
    assert 600 <= price <= 2400
    assert friends % 2 == 0
    assert float(copy.gold) == pytest.approx(friends * 1.5 * price * percent / 100)
    assert copy.id == "g-1~0"
    assert "half as many" in copy.question
    assert equations.check(copy.solution).ok
    assert copy.solution.endswith(f"#### {copy.gold}")


def test_seeded_and_independent_of_the_other_problems() -> None:
    other = Problem("g-2", "Bob has 7 cats and 9 dogs. How many?", "<<7+9=16>>16\n#### 16", "16")
    both = perturb([other, CLIPS], seed=3).problems
    assert both[1:] == perturb([CLIPS], seed=3).problems != perturb([CLIPS], seed=4).problems


@pytest.mark.parametrize(
    ("question", "solution", "gold", "reason"),
    [
        ("Ann has 7 cats.", "7 cats\n#### 7", "7", "no_equation"),
        ("Ann has 7 cats and 9 dogs.", "<<7+9=17>>\n#### 17", "17", "unparsed_equation"),
        ("Ann has 7 cats and 9 dogs.", "<<7+9=16>>\n#### 4", "4", "gold_not_last"),
        ("Ann is 3rd of 9.", "<<9-3=6>>\n#### 6", "6", "odd_number"),
        ("Ann runs 9 hours.", "<<9*60=540>>\n#### 540", "540", "unlinked_number"),
        ("Ann has 7 cats and seven dogs.", "<<7+7=14>>\n#### 14", "14", "ambiguous_number"),
        ("Ann has 7 cats, 7 dogs, 14 ants.", "<<7+7=14>><<14+14=28>>\n#### 28", "28", "ambiguous_number"),
        ("In 2020 Ann has 7 cats and 9 dogs.", "<<7+9=16>>\n#### 16", "16", "unused_number"),
        ("Ann has one cat and 1 dog.", "<<1+1=2>>\n#### 2", "2", "ambiguous_number"),
        ("Ann has 1 cat and twice as many dogs.", "<<1*2=2>>\n#### 2", "2", "no_valid_numbers"),
    ],
)
def test_what_is_dropped_is_counted_by_reason(question: str, solution: str, gold: str, reason: str) -> None:
    result = perturb([Problem("g-1", question, solution, gold)], seed=0)
    assert result.problems == []
    assert {name for name, count in result.drop_counts.items() if count} == {reason}


# question, path and truth of problems whose paths hold what everybody knows of units
TOLD: list[tuple[str, str, Callable[[float, float], float]]] = [
    ("Of {a} students {b} passed. What percentage passed?", "{b}/{a}*100", lambda a, b: b / a * 100),
    ("Tom pays ${a} every month. How much in {b} years?", "{a}*12*{b}", lambda a, b: a * 12 * b),
    ("He packs {a} cans an hour. How many in {b} days?", "{a}*24*{b}", lambda a, b: a * 24 * b),
    ("He walks {a} miles a day. How many in {b} weeks?", "{a}*7*{b}", lambda a, b: a * 7 * b),
    ("Each of {a} pens costs {b} cents. How many dollars is it?", "{a}*{b}/100", lambda a, b: a * b / 100),
    ("Ann runs {a} minutes, {b} times. How many hours?", "{a}*{b}/60", lambda a, b: a * b / 60),
    ("Bob has {a} cats and {b} dogs. How many?", "{a}+{b}", lambda a, b: a + b),
]


@pytest.mark.parametrize(("question", "path", "truth"), TOLD)
def test_no_copy_has_a_wrong_gold_answer_where_a_unit_is_converted(
    question: str, path: str, truth: Callable[[float, float], float]
) -> None:
    num_copies = 0
    for a in (5, 7, 12, 24, 50, 60, 100, 120):
        for b in (3, 4, 7, 12, 24, 40, 60, 80, 100):
            if a == b or truth(a, b) % 1:
                continue
            left, gold = path.format(a=a, b=b), str(round(truth(a, b)))
            problem = Problem("g-1", question.format(a=a, b=b), f"<<{left}={gold}>>\n#### {gold}", gold)
            for copy in (copy for seed in range(3) for copy in perturb([problem], seed=seed).problems):
                numbers = [float(found) for found in re.findall(r"[0-9]+", copy.question)]
                assert float(copy.gold) == pytest.approx(truth(*numbers)), copy
                num_copies += 1
    assert (num_copies > 0) == (
        "cats" in question or "weeks" in question
    )  # "weeks" tells a 7, every other of them drops


def test_a_fact_that_the_question_states_is_not_changed() -> None:
    fact = Problem("g-1", "There are 100 cents in a dollar. How many in 7?", "<<7*100=700>>\n#### 700", "700")
    assert perturb([fact], seed=0).drop_counts["ambiguous_number"] == 1


def test_on_the_gsm8k_test_split(gsm8k_dir: Path) -> None:
    problems = gsm8k.read_problems(gsm8k_dir / "test.jsonl")
    result = perturb(problems, seed=0)
    assert len(result.problems) + sum(result.drop_counts.values()) == 1319
    assert list(result.drop_counts) == list(REASONS)
    assert len(result.problems) == 412
    by_id = {problem.id: problem for problem in problems}
    for copy in result.problems:
        original = by_id[copy.id.removesuffix("~0")]
        assert copy.gold != original.gold
        assert copy.question != original.question
        assert equations.check(copy.solution, tolerance=1e-6).ok
        assert equations.equation_list(copy.solution)[-1].endswith(f"={copy.gold}")
