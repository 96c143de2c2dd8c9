"""Ranking the distinct paths of a question, and dealing a budget of paths over questions."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from rft.text.choosing import CHOOSERS, Asked, ByValue, Candidate, Tools, round_by_round
from rft.text.selection import KeptPath

TEXTS = ["2+3=5", "2+3=5 and so 5", "3+2=5", "(1+1)+3=5, that is all", "x", "2+1=3 3+2=5"]


def no_reward(pairs: Sequence[tuple[str, str]]) -> list[float]:
    raise AssertionError("nobody asked for it")


def candidate(question: str, draw: int, *, tokens: int = 1, logprob: float = -1.0, text: str = "t") -> Candidate:
    return Candidate(KeptPath(question, f"{draw}", "m", draw, text), tokens, logprob)


def asked(*sizes: int) -> list[Asked]:
    """Questions with so many candidates, no two alike in text, length or likelihood."""
    return [
        Asked(
            f"what is {number}?",
            tuple(
                candidate(f"q{number}", i, tokens=(7 * i + number) % 11, logprob=-((5 * i) % 7), text=TEXTS[i % 6] * (i + 1))
                for i in range(size)
            ),
        )
        for number, size in enumerate(sizes)
    ]  # fmt: skip


def names(candidates: Sequence[Candidate]) -> list[tuple[str, int]]:
    return [(one.path.id, one.path.draw) for one in candidates]


def ranked(chooser: str, questions: Sequence[Asked], *, seed: int = 0) -> list[list[Candidate]]:
    by_length = Tools(seed, lambda pairs: [float(len(text)) for _, text in pairs])
    return CHOOSERS[chooser]().ranked(questions, by_length)


@pytest.mark.parametrize("chooser", sorted(CHOOSERS))
def test_every_chooser_orders_all_candidates_whatever_their_order(chooser: str):
    questions = asked(5, 0, 3, 1)
    turned = [Asked(one.question, one.candidates[::-1]) for one in questions]
    found = ranked(chooser, questions)
    assert [sorted(names(group)) for group in found] == [sorted(names(one.candidates)) for one in questions]
    assert [names(group) for group in found] == [names(group) for group in ranked(chooser, turned)]


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=6), st.integers(0, 20), st.none() | st.integers(1, 4), st.integers(0, 3))
def test_choosers_keep_equally_many_of_each_question(sizes: list[int], budget: int, cap: int | None, seed: int):
    questions = asked(*sizes)
    counts = []
    for chooser in sorted(CHOOSERS):
        chosen = round_by_round(ranked(chooser, questions, seed=seed), budget=budget, cap=cap, seed=seed)
        counts.append(Counter(one.path.id for one in chosen))
        assert len(set(names(chosen))) == len(chosen)
    assert all(count == counts[0] for count in counts)
    most = {f"q{n}": size if cap is None else min(cap, size) for n, size in enumerate(sizes)}
    assert sum(counts[0].values()) == min(budget, sum(most.values()))
    short = [counts[0][name] for name in most if counts[0][name] < most[name]]  # those that could give more
    assert not short or max(counts[0].values(), default=0) - min(short) <= 1, (
        "no question has two more than one that has some left"
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=6), st.integers(0, 20), st.integers(0, 20))
def test_a_smaller_budget_lies_inside_a_larger_one(sizes: list[int], one: int, other: int):
    groups = ranked("shortest", asked(*sizes))
    less, more = (round_by_round(groups, budget=budget, cap=None, seed=0) for budget in sorted((one, other)))
    assert more[: len(less)] == less
    everything = round_by_round(groups, budget=None, cap=None, seed=0)
    assert everything[: len(more)] == more
    assert len(everything) == sum(sizes)


def test_the_seed_decides_whose_question_is_first_and_not_the_file():
    groups = ranked("shortest", asked(*[1] * 20))
    first = names(round_by_round(groups, budget=7, cap=None, seed=0))
    assert names(round_by_round(groups[::-1], budget=7, cap=None, seed=0)) == first
    assert names(round_by_round(groups, budget=7, cap=None, seed=1)) != first


def test_shortest_and_likeliest_and_reward_go_by_what_they_say():
    (question,) = asked(6)
    for chooser, value in (
        ("shortest", lambda one: -one.num_tokens),
        ("likeliest", lambda one: one.logprob),
        ("reward", lambda one: len(one.path.text)),
    ):
        (order,) = ranked(chooser, [question])
        assert [value(one) for one in order] == sorted(map(value, order), reverse=True)


def test_random_follows_seed_and_origin_alone():
    (question,) = asked(6)
    first = ranked("random", [question])
    other = [Asked("another", tuple(candidate("q0", i, tokens=9 - i, text="u") for i in range(6)))]
    assert names(first[0]) == names(ranked("random", other)[0])
    orders = {tuple(names(ranked("random", [question], seed=seed)[0])) for seed in range(20)}
    assert len(orders) > 15
    leaders = Counter(ranked("random", [question], seed=seed)[0][0].path.draw for seed in range(600))
    assert min(leaders.values()) > 60, "each of six leads in about 100 of 600"


@pytest.mark.parametrize("texts", list(itertools.permutations(TEXTS, 4))[::7])
def test_farthest_adds_the_path_with_the_largest_summed_distance(texts: tuple[str, ...]):
    group = tuple(candidate("q", i, text=text) for i, text in enumerate(texts))
    (order,) = ranked("farthest", [Asked("?", group)])
    for place, one in enumerate(order):
        before = order[:place] or order  # the first: from all
        reach = {
            c.path.draw: sum(Levenshtein.distance(c.path.text, b.path.text) for b in before) for c in order[place:]
        }
        assert reach[one.path.draw] == max(reach.values())


def test_a_chooser_of_ones_own_must_give_each_candidate_a_number():
    class Short(ByValue):
        def values(self, asked: Sequence[Asked], tools: Tools) -> list[float]:
            return [1.0]

    with pytest.raises(ValueError, match="Short must give 3 candidates a number each, it gave 1"):
        Short().ranked(asked(2, 1), Tools(0, no_reward))


def test_a_misspelt_chooser_is_named():
    with pytest.raises(ValueError, match=r"select.choose=shortst is not one of .*; did you mean shortest\?"):
        CHOOSERS["shortst"]
