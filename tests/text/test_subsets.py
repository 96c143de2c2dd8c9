"""Nested subsets: nesting, independence of order, and a size for every fraction."""

from __future__ import annotations

import pytest

from rft.text.subsets import permutation, rank, split, subset

IDS = [f"p{i}" for i in range(1000)]


def test_smaller_fractions_nest_in_larger() -> None:
    eighth, quarter, full = (subset(IDS, fraction=f, seed=3, size=512) for f in (1 / 8, 1 / 4, 1))
    assert [len(s) for s in (eighth, quarter, full)] == [64, 128, 512]
    assert eighth == quarter[:64] == full[:64]


def test_order_of_ids_is_irrelevant_and_seeds_differ() -> None:
    assert subset(IDS[::-1], fraction=0.5, seed=0) == subset(IDS, fraction=0.5, seed=0)
    one, two = (set(subset(IDS, fraction=1, seed=s, size=500)) for s in (0, 1))
    assert 200 < len(one & two) < 300  # two independent halves share a quarter of all ids


def test_choice_is_stable_across_releases() -> None:
    assert permutation(["a", "b", "c", "d"], seed=0) == ["c", "d", "a", "b"]
    assert rank(0, "a") == rank(0, "a") != rank(1, "a")


def test_at_least_one_and_at_most_all() -> None:
    assert len(subset(IDS, fraction=1e-9, seed=0)) == 1
    for fraction in (0, -1, 1.01, float("nan")):
        with pytest.raises(ValueError, match=r"data_frac must lie in \(0, 1\]"):
            subset(IDS, fraction=fraction, seed=0)
    with pytest.raises(ValueError, match="full set of 1001"):
        subset(IDS, fraction=1, seed=0, size=1001)
    with pytest.raises(ValueError, match="repeated"):
        subset(["a", "a"], fraction=1, seed=0)


def test_validation_split_is_disjoint_and_independent_of_the_subset() -> None:
    train, validation = split(IDS, size=200)
    assert not set(train) & set(validation)
    assert sorted(train + validation) == sorted(IDS)
    assert 60 < len(set(validation) & set(subset(IDS, fraction=0.4, seed=0))) < 100
    assert split(IDS, size=0) == (IDS, [])
    with pytest.raises(ValueError, match="at least one must be left"):
        split(IDS, size=1000)
