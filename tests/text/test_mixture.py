"""Several training files as one, in proportions."""

from __future__ import annotations

import random

import pytest

from rft.records import Problem
from rft.text.mixture import mixed, shares
from rft.text.subsets import permutation


def part(name: str, count: int) -> list[Problem]:
    return [Problem(f"{name}{number}", f"{name} and {number}?", "1\n#### 1", "1") for number in range(count)]


def test_shares_are_the_largest_in_proportion() -> None:
    """Brute force: no larger whole keeps the proportions within a row."""
    rng = random.Random(1)
    for _ in range(200):
        sizes = [rng.randint(1, 40) for _ in range(3)]
        weights = [rng.choice([0.5, 1, 2, 3]) for _ in range(3)]
        found = shares(sizes, weights=weights)
        assert all(1 <= taken <= size for taken, size in zip(found, sizes, strict=True))
        assert any(taken == size for taken, size in zip(found, sizes, strict=True)), "more rows would do"
        scale = min(size / weight for size, weight in zip(sizes, weights, strict=True))
        assert all(abs(taken - scale * weight) <= 1 for taken, weight in zip(found, weights, strict=True))


def test_a_mixture_does_not_depend_on_the_order_of_rows_and_fractions_nest() -> None:
    parts = {"a": part("a", 200), "b": part("b", 60)}
    found = [one.id for one in mixed(parts, weights=[1, 1]).problems]
    turned = [one.id for one in mixed({name: rows[::-1] for name, rows in parts.items()}, weights=[1, 1]).problems]
    assert sorted(found) == sorted(turned)
    assert len(found) == 120
    order = permutation(found, seed=3)
    for fraction in (0.25, 0.5):
        taken = order[: round(fraction * len(found))]
        assert set(order[: len(taken) // 2]) < set(taken)
        assert 0.25 < sum(name[0] == "a" for name in taken) / len(taken) < 0.75


def test_a_larger_weight_adds_rows_and_takes_none_away() -> None:
    parts = {"a": part("a", 100), "b": part("b", 20)}
    one, more = ({p.id for p in mixed(parts, weights=[weight, 1]).problems if p.id[0] == "a"} for weight in (1, 3))
    assert one < more


def test_without_weights_every_row_is_taken() -> None:
    parts = {"a": part("a", 5), "b": part("b", 3)}
    assert mixed(parts, weights=[]).problems == [*parts["a"], *parts["b"]]


def test_a_question_of_two_files_is_refused_or_dropped() -> None:
    parts = {"a": part("a", 5), "b": [*part("b", 3), *part("a", 2)]}
    with pytest.raises(ValueError, match=r"b has the question 'a and 0\?', and so has a"):
        mixed(parts, weights=[])
    found = mixed(parts, weights=[], drop_duplicates=True)
    assert (len(found.problems), found.dropped) == (8, {"duplicate": 2})
