"""A share of the training examples: nested, in order, chosen by seed."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from statistics import fmean

import pytest
from lone_stage import GivenPaths, given_examples

from rft.infra.digest import digest
from rft.methods.rft import KeptSet
from rft.stages.trainset import Example, nested_part

ROWS = [Example(f"t{i // 3}", "q", f"path {i}", "kept") for i in range(96)]


def test_a_smaller_share_lies_inside_a_larger_one_in_the_same_order():
    small, large = (nested_part(ROWS, frac=frac, seed=0) for frac in (1 / 32, 0.25))
    assert (len(small), len(large)) == (3, 24)
    assert all(row in large for row in small)
    assert large == [row for row in ROWS if row in large]


def test_another_seed_chooses_others_and_the_whole_is_the_whole():
    assert nested_part(ROWS, frac=0.25, seed=0) != nested_part(ROWS, frac=0.25, seed=1)
    assert nested_part(ROWS, frac=1.0, seed=0) == ROWS
    assert len(nested_part(ROWS, frac=1e-9, seed=0)) == 1


def test_the_choice_does_not_depend_on_the_order_of_the_rows():
    forward, backward = nested_part(ROWS, frac=0.1, seed=0), nested_part(ROWS[::-1], frac=0.1, seed=0)
    assert forward == backward[::-1]


EQUAL = [Example(f"t{i % 40}", "q", f"path {(i % 7) * (i % 5)}", "kept") for i in range(960)]  # 1 to 48 times each


def test_a_share_of_equal_examples_is_a_random_share():
    """Distinct texts and questions in a share, over seeds, against plain draws without replacement."""
    assert len(set(EQUAL)) < len(EQUAL) / 4
    mine = [nested_part(EQUAL, frac=1 / 8, seed=seed) for seed in range(200)]
    drawn = [random.Random(seed).sample(EQUAL, 120) for seed in range(200)]
    assert {len(part) for part in mine} == {120}
    for distinct in (lambda part: len(set(part)), lambda part: len({one.id for one in part})):
        assert fmean(map(distinct, mine)) == pytest.approx(fmean(map(distinct, drawn)), rel=0.02)
    each = sum((Counter(part) for part in mine), Counter[Example]())
    (most, count), *_ = Counter(EQUAL).most_common()
    assert each[most] / 200 == pytest.approx(count / 8, rel=0.1)


def test_shares_of_equal_examples_are_nested_and_do_not_depend_on_the_order():
    parts = [nested_part(EQUAL, frac=frac, seed=3) for frac in (1 / 32, 1 / 8, 1 / 2)]
    for small, large in itertools.pairwise(parts):
        assert not Counter(small) - Counter(large)
    assert Counter(nested_part(EQUAL[::-1], frac=1 / 8, seed=3)) == Counter(parts[1])


def test_a_share_without_equal_examples_is_the_one_it_always_was():
    """As chosen before equal examples were told apart."""
    assert [int(one.solution.split()[1]) for one in nested_part(ROWS, frac=1 / 12, seed=0)] == [
        4,
        15,
        39,
        57,
        59,
        67,
        90,
        92,
    ]


@pytest.mark.parametrize("frac", [0.5, 1.0])
def test_only_shares_of_what_is_added_have_another_key(frac: float):
    """Human solutions are never equal: what repeats a problem is refused or left out where files are read."""
    human = given_examples()
    kept = KeptSet(subset=human.subset, paths=GivenPaths(name="paths"), examples_frac=frac)
    sft = type(human)(subset=human.subset, examples_frac=frac)
    as_ever = [one.key == digest([one.kind, 1, one.identity()]) for one in (sft, kept)]
    assert as_ever == [True, frac == 1]
