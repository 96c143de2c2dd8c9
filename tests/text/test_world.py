"""The embedded world: paths, checker, splits, style, determinism."""

from __future__ import annotations

import dataclasses
import random
import re
import statistics
import subprocess
import sys
import time

import pytest
from world_settings import EASY, MIDDLE

from rft.records import Problem
from rft.text.world import Path, Verdict, WorldSplit, alternative_paths, equation_key, paths_of, verdict, world_problems
from rft.text.world.expressions import canonical_text
from rft.text.world.graphs import split_of
from rft.text.world.paths import draw_path
from rft.text.world.problems import form_of


@pytest.fixture(scope="module")
def easy() -> list[Problem]:
    return world_problems(EASY, split=WorldSplit.POOL, count=600)


@pytest.fixture(scope="module")
def middle() -> list[Problem]:
    return world_problems(MIDDLE, split=WorldSplit.POOL, count=300)


def problem_of(graph: list[str], numbers: list[int], gold: int, limit: int = 100) -> Problem:
    spec = {"graph": graph, "numbers": numbers, "limit": limit}
    return Problem("w-test", "?", f"#### {gold}", str(gold), spec)


# 3 bags of 17, 5 lost: 3*17-5 = 46
BAGS = problem_of(["groups", "lose"], [3, 17, 5], 46)


def test_median_number_of_paths(easy: list[Problem], middle: list[Problem]) -> None:
    assert statistics.median(paths_of(p).count for p in easy) >= 4
    assert statistics.median(paths_of(p).count for p in middle) >= 12


def test_every_enumerated_path_is_valid_distinct_and_reaches_gold(easy: list[Problem], middle: list[Problem]) -> None:
    for problem in easy[:300] + middle[:60]:
        paths = paths_of(problem).first
        assert len({path.key() for path in paths}) == len(paths) <= 64
        for path in paths:
            for wording in (0, 1):
                text = path.text(wording=wording)
                assert verdict(problem, text) is Verdict.VALID, (problem, text)
                assert text.endswith(f"\n#### {problem.gold}")
                assert equation_key(text) == path.key()


def test_paths_of_a_small_problem_are_exactly_those_found_by_hand() -> None:
    keys = {path.key() for path in paths_of(BAGS).first}
    assert keys == {"3*17=51|51-5=46", "17*3=51|51-5=46"}
    paths = paths_of(problem_of(["have", "lose_two"], [20, 5, 3], 12))
    assert {path.key() for path in paths.first} == {
        "20-5=15|15-3=12",
        "20-3=17|17-5=12",
        "5+3=8|20-8=12",
        "3+5=8|20-8=12",
    }
    spread = {path.key() for path in paths_of(problem_of(["mixed"], [3, 4, 7], 33)).first}
    assert {"4+7=11|3*11=33", "3*4=12|3*7=21|12+21=33", "3*7=21|3*4=12|12+21=33"} <= spread
    complement = {path.key() for path in paths_of(problem_of(["have", "fraction"], [21, 3], 14)).first}
    assert {"21/3=7|21-7=14", "3-1=2|21/3=7|2*7=14", "21/3=7|3-1=2|7*2=14"} <= complement


def test_count_agrees_with_full_enumeration_and_prefix_is_stable(middle: list[Problem]) -> None:
    for problem in middle[:60]:
        few = paths_of(problem, most=10)
        more = paths_of(problem, most=100)
        assert few.first == more.first[: len(few.first)]
        assert few.count >= len(more.first)
        if more.count < 100:
            assert more.count == len(more.first)


def test_human_paths_are_valid_and_gsm8k_shaped(easy: list[Problem], middle: list[Problem]) -> None:
    for problem in easy + middle:
        assert verdict(problem, problem.solution) is Verdict.VALID
        equations = re.findall(r"<<([^>]*)>>", problem.solution)
        assert len(equations) >= 2
        for equation in equations:
            left, right = equation.split("=")
            a, op, b = re.fullmatch(r"(\d+)([-+*/])(\d+)", left).groups()  # type: ignore[union-attr]
            a, b = int(a), int(b)
            assert {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[op] == int(right)
        assert re.search(r"\n#### (\d+)$", problem.solution).group(1) == problem.gold  # type: ignore[union-attr]
        largest = max(map(int, re.findall(r"\d+", problem.question + problem.solution)))
        assert largest <= problem.spec["limit"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("makes <<3*17=51>>51\nleft <<51-5=46>>46\n#### 46", Verdict.VALID),
        ("any words at all <<17 * 3 = 51>> <<51 - 5 = 46>>\n#### 46", Verdict.VALID),
        ("in one <<3*17-5=46>>46\n#### 46", Verdict.VALID),
        ("in one <<(3*17)-5=46.0>>46\n#### 46.", Verdict.VALID),
        ("makes <<3*17=52>>52\nleft <<52-5=47>>47\n#### 47", Verdict.ARITHMETIC),
        ("makes <<3*17=51>>51\nleft <<51-5=45>>45\n#### 45", Verdict.ARITHMETIC),
        ("total <<3+17=20>>20\nleft <<20-5=15>>15\n#### 15", Verdict.PLAN),  # swapped operation
        ("makes <<3*17=51>>51\ntotal <<51+5=56>>56\n#### 56", Verdict.PLAN),
        ("makes <<3*17=51>>51\n#### 51", Verdict.PLAN),  # missing step
        ("makes <<3*17=51>>51\nleft <<51-5=46>>46", Verdict.PLAN),  # no answer
        ("makes <<3*17=51>>51\nleft <<50-5=45>>45\n#### 45", Verdict.PLAN),  # copied wrongly
        ("left <<17-5=12>>12\nmakes <<3*12=36>>36\n#### 36", Verdict.PLAN),
        ("", Verdict.PLAN),
        ("#### 46", Verdict.LUCKY),
        ("total <<40+6=46>>46\n#### 46", Verdict.LUCKY),
        ("makes <<3*17=52>>52\nleft <<52-5=46>>46\n#### 46", Verdict.LUCKY),  # two errors that cancel
        ("makes <<3*17=51>>51\nleft <<51-5=46>>46\nand <<3+5=8>>8\n#### 46", Verdict.LUCKY),  # a meaningless step
        ("makes <<3*17=51>>51\n#### 46", Verdict.LUCKY),
    ],
)
def test_verdict(text: str, expected: Verdict) -> None:
    assert verdict(BAGS, text) is expected


def test_right_number_by_the_wrong_quantity_is_lucky() -> None:
    """2 and 2 make 4 by product and by sum; only the product is what the question says."""
    four = problem_of(["have", "times"], [2, 2], 4)
    assert verdict(four, "<<2*2=4>>4\n#### 4") is Verdict.VALID
    assert verdict(four, "<<2+2=4>>4\n#### 4") is Verdict.LUCKY


def test_corrupted_paths_get_the_right_label(easy: list[Problem], middle: list[Problem]) -> None:
    rng = random.Random("corrupt")
    for problem in easy[:200] + middle[:100]:
        path = rng.choice(paths_of(problem).first)
        *before, (a, op, b, c) = path.equations
        # a wrong result that is carried on: an arithmetic error (997 and 991 are no quantity of any problem)
        assert verdict(problem, Path((*before, (a, op, b, 997))).text()) is Verdict.ARITHMETIC
        # another operation in the last step, computed correctly
        other = "+" if op != "+" else "*"
        value = a + b if other == "+" else a * b
        if value != c:
            assert verdict(problem, Path((*before, (a, other, b, value))).text()) is Verdict.PLAN
        assert verdict(problem, Path((*before, (c + 991, "-", 991, c))).text()) is Verdict.LUCKY


def test_verdict_is_safe_and_fast_on_any_text() -> None:
    hostile = [
        "<<9**9**9**9=1>>\n#### 46",
        "<<__import__('os').system('true')=0>>\n#### 46",
        "<<" + "(" * 500 + "1" + ")" * 500 + "=1>>#### 46",
        "<<" * 5000 + "#### 46",
        "<<3*17=51>>" * 5000 + "#### 46",
        "<<1/0=1>><<=>><<==>><<3*=>><<\u0663*17=51>>\n#### 46",
        "<<3*17=51=51>>\n#### 46",
        "\n#### " + "9" * 10_000,
    ]
    rng = random.Random("noise")
    hostile += ["".join(rng.choices("<>=#+-*/()0123456789 \n.", k=300)) for _ in range(300)]
    start = time.monotonic()
    for text in hostile:
        assert verdict(BAGS, text) is not Verdict.VALID
    assert time.monotonic() - start < 5


def test_verdict_refuses_problems_of_other_data_sets() -> None:
    with pytest.raises(ValueError, match="no computation graph"):
        verdict(Problem("g-1", "?", "#### 1", "1"), "#### 1")


def test_splits_are_disjoint_unique_and_prefix_stable() -> None:
    sets = {split: world_problems(EASY, split=split, count=400) for split in WorldSplit}
    forms = [canonical_text(form_of(p)[0]) for problems in sets.values() for p in problems]
    assert len(set(forms)) == len(forms)
    assert len({p.id for problems in sets.values() for p in problems}) == len(forms)
    for split, problems in sets.items():
        assert all(split_of(canonical_text(form_of(p)[0]), seed=EASY.seed) is split for p in problems)
        assert world_problems(EASY, split=split, count=50) == problems[:50]
        assert all(Problem.from_json(p.to_json()) == p for p in problems)


def test_canonical_form_ignores_the_order_of_commuting_parts() -> None:
    one, other = problem_of(["parts", "gain"], [5, 7, 9], 21), problem_of(["have", "gain", "gain"], [9, 5, 7], 21)
    assert canonical_text(form_of(one)[0]) == canonical_text(form_of(other)[0])


def test_too_small_a_world_is_an_error() -> None:
    with pytest.raises(ValueError, match="only about"):
        world_problems(dataclasses.replace(EASY, num_graphs=1, max_value=30), split=WorldSplit.VALIDATION, count=5000)
    with pytest.raises(ValueError, match="num_graphs"):
        world_problems(dataclasses.replace(EASY, num_graphs=10_000), split=WorldSplit.POOL, count=1)


def test_human_style_is_monotone_and_changes_solutions_alone() -> None:
    shares = []
    base = world_problems(EASY, split=WorldSplit.POOL, count=400)
    for style in (0.0, 0.3, 0.6, 0.9, 1.0):
        problems = world_problems(dataclasses.replace(EASY, human_style=style), split=WorldSplit.POOL, count=400)
        assert [(p.id, p.question, p.gold) for p in problems] == [(p.id, p.question, p.gold) for p in base]
        shares.append(statistics.fmean(p.solution == paths_of(p).first[0].text() for p in problems))
    assert shares == sorted(shares)
    assert shares[0] < 0.3
    assert shares[3] > 0.85
    assert shares[4] == 1.0


def test_free_paths_take_any_route_short_ones_more_often() -> None:
    rng, num_draws = random.Random("routes"), 4000
    form, limit = form_of(problem_of(["have", "lose_two"], [20, 5, 3], 12))
    drawn = [draw_path(form, limit=limit, style=0.0, rng=rng)[0].key().split("|")[0] for _ in range(num_draws)]
    # three routes of two equations: 20-5 first, 20-3 first, 5+3 first (either way round), as 1 : 1/2 : 1/3
    for opening, share in (({"20-5=15"}, 6 / 11), ({"20-3=17"}, 3 / 11), ({"5+3=8", "3+5=8"}, 2 / 11)):
        assert sum(key in opening for key in drawn) / num_draws == pytest.approx(share, abs=0.03)
    form, limit = form_of(problem_of(["mixed"], [3, 4, 7], 33))
    lengths = [len(draw_path(form, limit=limit, style=0.0, rng=rng)[0].equations) for _ in range(num_draws)]
    assert lengths.count(2) / num_draws == pytest.approx(2 / 3, abs=0.03)  # 3*(4+7); and 3*4 + 3*7, which is longer


def test_alternative_paths_are_valid_and_differ_from_the_human_path(easy: list[Problem]) -> None:
    for problem in easy[:100]:
        others = alternative_paths(problem)
        keys = {equation_key(text) for text in others}
        assert len(keys) == len(others)
        assert equation_key(problem.solution) not in keys


def test_zipf_like_frequency() -> None:
    counts: dict[str, int] = {}
    for problem in world_problems(EASY, split=WorldSplit.POOL, count=1500):
        graph = " ".join(problem.spec["graph"])  # type: ignore[index]
        counts[graph] = counts.get(graph, 0) + 1
    ranked = sorted(counts.values(), reverse=True)
    assert len(ranked) > 100
    assert sum(ranked[:13]) / 13 > 5 * sum(ranked[-52:]) / 52  # top tenth of the graphs against the last two fifths


def test_numbers_of_a_problem_differ(easy: list[Problem]) -> None:
    for problem in easy:
        numbers = problem.spec["numbers"]  # type: ignore[index]
        assert len(set(numbers)) == len(numbers)


def test_same_world_in_every_process() -> None:
    code = (
        "from rft.config import WorldConfig\nfrom rft.text.world import *\nimport itertools, hashlib\n"
        f"c = {EASY!r}\n"
        "ps = world_problems(c, split=WorldSplit.TEST, count=40)\n"
        "ds = list(itertools.islice(corpus_documents(c, seed=3), 40))\n"
        "qs = [paths_of(p) for p in ps]\n"
        "print(hashlib.sha256(repr((ps, ds, qs)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": hash_seed}
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1
