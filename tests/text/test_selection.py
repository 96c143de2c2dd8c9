"""Selection: each sample counted once, Algorithm 1 against a plain reading of it, order, idempotence, statistics."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest
from rapidfuzz.distance import Levenshtein

from rft.records import Problem, Sample
from rft.text import equations, selection
from rft.text.dedup import thin
from rft.text.selection import POLICIES, KeptPath, policy_named, select

PROBLEM = Problem("p", "How many?", "3+4=<<3+4=7>>7\n#### 7", "7")
PAPER = policy_named("paper")


def sample(text: str, draw: int, *, model: str = "m", truncated: bool = False, problem: str = "p") -> Sample:
    return Sample(problem, draw, text, truncated, 1, model)


def pool(
    num_problems: int, num_draws: int, models: tuple[str, ...] = ("m",), seed: int = 0
) -> tuple[list[Sample], list[Problem]]:
    rng = random.Random(seed)
    problems, samples = [], []
    for i in range(num_problems):
        a, b, c = rng.sample(range(2, 30), 3)
        gold = a + b + c
        problems.append(Problem(f"p{i}", "", f"<<{a}+{b}+{c}={gold}>>\n#### {gold}", str(gold)))
        for model in models:
            for draw in range(num_draws):
                x, y, z = rng.sample([a, b, c], 3)
                total = gold + rng.choice([0, 0, 0, 1])
                told = rng.choice(["So she has", "That makes", "Altogether there are", "He then counts a total of"])
                shown = x + y + rng.choice([0, 0, 0, 0, 1])
                text = f"{told} {x}+{y}=<<{x}+{y}={shown}>>{shown} things.\n{told} <<{x + y}+{z}={gold}>>{gold}.\n"
                text = "no equations\n" if rng.random() < 0.1 else text
                text += rng.choice(["", "#### "]) + f"{total}" if rng.random() < 0.2 else f"#### {total}"
                samples.append(Sample(f"p{i}", draw, text, rng.random() < 0.05, 1, model))
    return samples, problems


def plain_algorithm_1(paths: list[KeptPath]) -> list[KeptPath]:
    """The paper's pseudo-code, word by word."""
    kept: list[KeptPath] = []
    for path in paths:
        same = [i for i, other in enumerate(kept) if other.key == path.key]
        if not same:
            kept.append(path)
            continue
        others = [other.text for i, other in enumerate(kept) if i != same[0]]
        reach = [sum(Levenshtein.distance(text, other) for other in others) for text in (path.text, kept[same[0]].text)]
        if reach[0] > reach[1]:
            kept[same[0]] = path
    return kept


def test_each_sample_is_counted_once_under_the_first_reason() -> None:
    samples = [
        sample("3+4=<<3+4=7>>7\n#### 7", 0),
        sample("3+4=<<3+4=7>>7, so\n#### 7", 1),
        sample("<<3+4=8>>\n#### 7", 2),
        sample("<<3+4=8>>\n#### 8", 3),
        sample("<<3+4=8>>", 4),
        sample("<<4+3=7>>\n#### 7.0 and", 5, truncated=True),
        sample("<<4+3=7>>\n#### 7.0", 6),
        sample("it is\n#### 7", 7),
        sample("well, it is\n#### 7", 8),
    ]
    chosen = select(samples, [PROBLEM], policy=PAPER)
    assert chosen.drop_counts == {
        "no_answer": 1, "wrong_answer": 1, "truncated": 1, "false_equation": 1, "duplicate_path": 2,
    }  # fmt: skip
    assert [(path.key, path.draw) for path in chosen.kept] == [
        ("3+4=7", 0),
        ("4+3=7", 6),
        ("", 8),
    ]  # "": one path survives
    assert chosen.stats.no_equation_frac == pytest.approx(2 / 9)
    assert (chosen.stats.correct_per_question, chosen.stats.distinct_per_question) == (7, 3)


def test_the_human_path() -> None:
    samples = [sample("3+4=<<3+4=7>>7.\n#### 7", 0), sample("<<4+3=7>>\n#### 7", 1)]
    assert len(select(samples, [PROBLEM], policy=PAPER).kept) == 2
    chosen = select(samples, [PROBLEM], policy=policy_named("paper", count_human=True))
    assert [path.draw for path in chosen.kept] == [1]
    assert chosen.drop_counts["duplicate_path"] == 1
    assert (chosen.stats.distinct_per_question, chosen.stats.distinct_per_question_with_human) == (2, 2)
    assert select([], [PROBLEM], policy=PAPER).stats.distinct_per_question_with_human == 1


def test_algorithm_1_equals_its_pseudo_code() -> None:
    samples, problems = pool(60, 30)
    no_dedup = select(samples, problems, policy=policy_named("no_dedup")).kept
    expected = {path for p in problems for path in plain_algorithm_1([path for path in no_dedup if path.id == p.id])}
    kept = select(samples, problems, policy=PAPER).kept
    assert kept == [path for path in no_dedup if path in expected]
    first = list({(path.id, path.key): path for path in reversed(no_dedup)}.values())
    assert set(kept) != set(first)  # the pool does exercise replacement


@pytest.mark.parametrize("name", POLICIES)
def test_order_is_irrelevant_and_selecting_again_keeps_all(name: str) -> None:
    samples, problems = pool(40, 20, models=("a", "b"))
    policy = policy_named(name)
    chosen = select(samples, problems, policy=policy, models=["b", "a"], seed=3)
    shuffled = random.Random(1).sample(samples, len(samples))
    assert select(shuffled, problems, policy=policy, models=["b", "a"], seed=3) == chosen
    again = [Sample(path.id, path.draw, path.text, False, 1, path.model) for path in chosen.kept]
    assert select(again, problems, policy=policy, models=["b", "a"], seed=3).kept == chosen.kept
    assert sum(chosen.drop_counts.values()) + len(chosen.kept) == len(samples)
    assert set(chosen.drop_counts) == {*selection.REASONS} | ({"over_cap"} if policy.cap else set())


def test_policies_differ_as_named() -> None:
    samples, problems = pool(40, 30)
    kept = {name: select(samples, problems, policy=policy_named(name), seed=0).kept for name in POLICIES}
    assert {(p.id, p.key) for p in kept["random_per_key"]} == {(p.id, p.key) for p in kept["paper"]}
    assert select(samples, problems, policy=policy_named("random_per_key"), seed=1).kept != kept["random_per_key"]
    assert max(Counter(path.id for path in kept["balanced"]).values()) == 4
    assert set(kept["balanced"]) < set(kept["paper"])
    assert len(kept["no_dedup"]) > len(kept["paper"])


def test_models_and_draws() -> None:
    samples = [sample("<<3+4=7>>\n#### 7", 0, model="a"), sample("<<4+3=7>>\n#### 7", 1, model="a")]
    samples += [sample("<<3+4=7>>\n#### 7", 0, model="b"), sample("<<8-1=7>>\n#### 7", 1, model="b")]
    chosen = select(samples, [PROBLEM], policy=PAPER)
    assert chosen.stats.found_by == {("a",): 1, ("a", "b"): 1, ("b",): 1}
    assert chosen.stats.found_alone == {
        "a": 1,
        "b": 1,
    }
    assert selection.intersections(chosen) == {"a": 1, "a & b": 1, "b": 1}
    assert [path.model for path in select(samples, [PROBLEM], policy=PAPER, models=["b", "a"]).kept] == ["b", "b", "a"]
    first = select(samples, [PROBLEM], policy=PAPER, max_draws=1)
    assert [(path.model, path.draw) for path in first.kept] == [("a", 0)]
    assert first.stats.num_samples == 2


def test_thinning_nests() -> None:
    samples, problems = pool(20, 20)
    kept = select(samples, problems, policy=PAPER).kept
    ten, twenty = (thin(kept, size=size, seed=0) for size in (10, 20))
    assert set(ten) < set(twenty) < set(kept)
    assert ten == [path for path in kept if path in set(ten)]
    with pytest.raises(ValueError, match="cannot thin"):
        thin(kept, size=len(kept) + 1, seed=0)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="did you mean no_dedup"):
        policy_named("nodedup")
    with pytest.raises(ValueError, match="problem 'q', which is not among"):
        select([sample("", 0, problem="q")], [PROBLEM], policy=PAPER)
    with pytest.raises(ValueError, match="draw 0 of model 'm' twice"):
        select([sample("", 0), sample("x", 0)], [PROBLEM], policy=PAPER)
    with pytest.raises(ValueError, match="model 'm', which is not listed"):
        select([sample("", 0)], [PROBLEM], policy=PAPER, models=["n"])


def test_hostile_samples_return_fast() -> None:
    texts = ["\ud800\x00", "<<" * 100_000, "<<9**9**9=1>>", "y" * 1_000_000, "x" * 1_000_000]
    samples = [sample(f"{text}\n#### 7", draw) for draw, text in enumerate(texts * 3)]
    start = time.perf_counter()
    select(samples, [PROBLEM], policy=PAPER)
    assert time.perf_counter() - start < 3


def test_keys_are_the_equations_module_keys() -> None:
    samples, problems = pool(5, 10)
    assert all(path.key == equations.equation_key(path.text) for path in select(samples, problems, policy=PAPER).kept)
