"""Exact estimators against brute force over every k-subset."""

from __future__ import annotations

import itertools
import math
import random
import time

import pytest

from rft.text import scoring


def test_vote_is_on_numbers_shares_ties_and_ignores_no_answer() -> None:
    assert scoring.vote(["18", "18.0", None, "7"]) == ["18"]
    assert scoring.vote(["7", "18", None, None, None]) == ["7", "18"]
    assert scoring.vote([None]) == []
    assert scoring.vote(["-", ""]) == []
    assert scoring.vote_credit(["7", "18"], gold="18.0") == 0.5
    assert scoring.vote_credit([None], gold="18") == 0


def test_string_vote_is_the_released_scripts() -> None:
    assert scoring.string_vote(["7", "18", "18.0"]) == "7"  # 18 and 18.0 split, the tie goes to the first seen
    assert scoring.string_vote([None, "3", None]) == "3"
    assert scoring.string_vote([None]) is None


def test_maj_at_k_equals_brute_force() -> None:
    rng = random.Random(0)
    for _ in range(150):
        n = rng.randint(1, 9)
        answers = [rng.choice(["1", "1.0", "2", "3", "4", None]) for _ in range(n)]
        ks = list(range(1, n + 1))
        for k, value in zip(ks, scoring.maj_at_k(answers, gold="1", ks=ks), strict=True):
            subsets = list(itertools.combinations(answers, k))
            brute = math.fsum(scoring.vote_credit(chosen, gold="1") for chosen in subsets) / len(subsets)
            assert value == pytest.approx(brute, abs=1e-12), (answers, k)


def test_pass_and_distinct_equal_brute_force() -> None:
    keys = ["a", "a", "a", "b", "b", "c", None, None]  # three keys; two draws without a kept path
    for k in range(1, 9):
        subsets = list(itertools.combinations(keys, k))
        passed = sum("b" in chosen for chosen in subsets) / len(subsets)
        distinct = sum(len(set(chosen) - {None}) for chosen in subsets) / len(subsets)
        assert scoring.pass_at_k(n=8, num_correct=2, ks=[k]) == [pytest.approx(passed)]
        assert scoring.distinct_at_k([3, 2, 1], n=8, ks=[k]) == [pytest.approx(distinct)]


def test_whole_pool_is_the_plain_vote() -> None:
    answers = ["3"] * 40 + ["4"] * 40 + [None] * 20
    assert scoring.maj_at_k(answers, gold="3", ks=[1, 100]) == [pytest.approx(0.4), pytest.approx(0.5)]
    many = [str(i) for i in range(500)] * 2
    assert scoring.maj_at_k(many, gold="7", ks=[1, 1000]) == [pytest.approx(1 / 500), pytest.approx(1 / 500)]


def test_bounds() -> None:
    with pytest.raises(ValueError, match=r"k must lie in 1..2"):
        scoring.maj_at_k(["1", "2"], gold="1", ks=[3])
    with pytest.raises(ValueError, match="num_correct"):
        scoring.pass_at_k(n=2, num_correct=3, ks=[1])
    with pytest.raises(ValueError, match="counts of keys"):
        scoring.distinct_at_k([2, 1], n=2, ks=[1])
    with pytest.raises(ValueError, match="no gold answer, the first is b"):
        scoring.pool_scores({"b": ["1"]}, {"a": "1"}, ks=[1])


def test_pool_scores_join_by_id_and_are_fast() -> None:
    rng = random.Random(0)
    answers = {f"p{i}": [str(min(9999, int(rng.paretovariate(0.6)))) for _ in range(100)] for i in range(300)}
    golds = dict.fromkeys(reversed(answers), "1")
    start = time.perf_counter()
    scores = scoring.pool_scores(answers, golds, ks=[1, 4, 16, 100])
    assert time.perf_counter() - start < 5
    assert scores["maj1@1"].value == pytest.approx(scores["pass@1"].value)
    assert scores["maj1@100"].n == 300
    assert scores["maj1@1"].value < scores["maj1@100"].value <= scores["pass@100"].value
