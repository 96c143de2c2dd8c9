"""The numbers-changed copy: certain links only, golds that follow from the new question, seeded."""

from __future__ import annotations

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


def test_on_the_gsm8k_test_split(gsm8k_dir: Path) -> None:
    problems = gsm8k.read_problems(gsm8k_dir / "test.jsonl")
    result = perturb(problems, seed=0)
    assert len(result.problems) + sum(result.drop_counts.values()) == 1319
    assert list(result.drop_counts) == list(REASONS)
    assert len(result.problems) == 492
    by_id = {problem.id: problem for problem in problems}
    for copy in result.problems:
        original = by_id[copy.id.removesuffix("~0")]
        assert copy.gold != original.gold
        assert copy.question != original.question
        assert equations.check(copy.solution, tolerance=1e-6).ok
        assert equations.equation_list(copy.solution)[-1].endswith(f"={copy.gold}")
