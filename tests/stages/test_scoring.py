"""Exact estimators against brute force over every k-subset, and one answer to one question everywhere."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections import Counter
from pathlib import Path

import pytest

from analysis.load.outcomes import tally_of
from analysis.load.votes import curve, passed, voted
from rft import grade
from rft.execute.scoring import row_scores
from rft.records import Outcome, Problem, Sample
from rft.stages.rows import Graded, Scored, Voted
from rft.stages.vote import vote_rows
from rft.text import answers, scoring
from rft.votes import Tally, distinct_at_k, maj_at_k, pass_at_k, pool_scores

# (text, truncated) of each draw, gold, rule -> maj1@n and pass@n
CASES: dict[str, tuple[list[tuple[str, bool]], str, str, float, float]] = {
    "numbers that the rule calls wrong": ([("#### 18.00", False)] * 4, "18", "gsm8k", 0.0, 0.0),
    "answers of draws that were cut off": ([("#### 14", True)] * 4, "14", "gsm8k", 0.0, 0.0),
    "one rival in three spellings": (
        [(f"#### {a}", False) for a in ("7", "7.0", "7.", "18", "18")],
        "18",
        "paper",
        0.0,
        1.0,
    ),
    "a rival that is the gold number": (
        [(f"#### {a}", False) for a in ("18.0", "18.0", "18")],
        "18",
        "gsm8k",
        0.0,
        1.0,
    ),
    "a tie": ([("#### 18", False), ("#### 7", False)], "18", "gsm8k", 0.5, 1.0),
    "no answer never wins": ([("none", False)] * 3 + [("#### 18", False)], "18", "gsm8k", 1.0, 1.0),
}


def vote_row(draws: list[tuple[str, bool]], gold: str, rule: str) -> Voted:
    """What the vote stage finds."""
    problem = Problem("p", "q", f"#### {gold}", gold)
    samples = [Sample("p", i, text, cut, 1) for i, (text, cut) in enumerate(draws)]
    (row,) = vote_rows([problem], {"p": samples}, rule=rule, equations="annotated")
    return row


@pytest.mark.parametrize("name", CASES)
def test_record_figure_and_command_line_give_one_number(name: str, tmp_path: Path) -> None:
    draws, gold, rule, maj, passed_any = CASES[name]
    n, row = len(draws), vote_row(draws, gold, rule)
    record = row_scores([Scored(Graded("p", gold, row.outcomes[0], None), None, row)])
    assert (record[f"maj1@{n}"].value, record[f"pass@{n}"].value) == (pytest.approx(maj), pytest.approx(passed_any))
    tally = tally_of(row.to_json())
    figure = [curve([{"p": tally, "q": tally}], statistic=s, most=1.0)[n].value for s in (voted, passed)]
    assert figure == [pytest.approx(maj), pytest.approx(passed_any)]
    lines = [
        {"id": "p", "gold": gold, "text": text, "truncated": cut, "draw": i} for i, (text, cut) in enumerate(draws)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    summary = grade.grade_items(grade.read_items(str(tmp_path / "rows.jsonl")), rule=rule)
    assert (summary[f"maj1@{n}"], summary[f"pass@{n}"]) == (pytest.approx(maj), pytest.approx(passed_any))
    right = [answers.grade(rule, text, gold, cut) is Outcome.CORRECT for text, cut in draws]
    assert record["pass@1"].value == summary["pass@1"] == pytest.approx(sum(right) / n), (
        "the mean of the draws' correctness"
    )


def test_one_draw_never_replaces_the_greedy_answer() -> None:
    row = vote_row([("#### 7", False)], "18", "gsm8k")
    scores = row_scores([Scored(Graded("p", "18", "C", "18"), None, row)])
    assert scores["maj1@1"].value == 1.0
    assert scores["pass@1"].value == 0.0
    assert set(scores) == {"maj1@1", "pass@1"}


def test_rivals_are_numbers_of_wrong_draws_alone() -> None:
    assert scoring.rivals("WWCNT", ["7", "7.0", "18", None, "7"]) == [0, 0, None, None, None]
    assert scoring.rivals("WWW", ["7", "-", "8"]) == [0, None, 1]


def credit(votes: tuple[str, ...]) -> float:
    """1/t when C is among the t most frequent votes; '-' votes for nothing."""
    counts = Counter(vote for vote in votes if vote != "-")
    most = max(counts.values(), default=0)
    winners = [vote for vote, count in counts.items() if count == most]
    return 1 / len(winners) if "C" in winners else 0.0


def test_estimators_equal_brute_force_over_mixed_outcomes() -> None:
    rng = random.Random(0)
    for _ in range(150):
        votes = [rng.choice("CCabc--") for _ in range(rng.randint(1, 9))]
        letters = "".join("C" if v == "C" else rng.choice("NT") if v == "-" else "W" for v in votes)
        tally = Tally.of(letters, [None if v in "C-" else ord(v) for v in votes])
        ks = list(range(1, len(votes) + 1))
        both = zip(ks, maj_at_k(tally, ks=ks), pass_at_k(tally, ks=ks), strict=True)
        for k, maj, any_right in both:
            subsets = list(itertools.combinations(votes, k))
            assert maj == pytest.approx(math.fsum(map(credit, subsets)) / len(subsets), abs=1e-12), (votes, k)
            assert any_right == pytest.approx(sum("C" in chosen for chosen in subsets) / len(subsets), abs=1e-12)


def test_distinct_equals_brute_force() -> None:
    keys = ["a", "a", "a", "b", "b", "c", None, None]  # three keys; two draws without a kept path
    for k in range(1, 9):
        subsets = list(itertools.combinations(keys, k))
        distinct = sum(len(set(chosen) - {None}) for chosen in subsets) / len(subsets)
        assert distinct_at_k([3, 2, 1], n=8, ks=[k]) == [pytest.approx(distinct)]


def test_whole_pool_is_the_plain_vote() -> None:
    assert maj_at_k(Tally(100, 40, (40,)), ks=[1, 100]) == [pytest.approx(0.4), pytest.approx(0.5)]
    assert maj_at_k(Tally(1000, 2, (2,) * 499), ks=[1, 1000]) == [pytest.approx(1 / 500), pytest.approx(1 / 500)]


def test_bounds() -> None:
    with pytest.raises(ValueError, match=r"k must lie in 1..2"):
        maj_at_k(Tally(2, 1, ()), ks=[3])
    with pytest.raises(ValueError, match="counts of keys"):
        distinct_at_k([2, 1], n=2, ks=[1])
    with pytest.raises(ValueError, match="2 outcomes, but 1 votes"):
        Tally.of("CW", [None])
    with pytest.raises(ValueError, match="not wrong votes for a wrong answer"):
        Tally.of("C", [0])
    with pytest.raises(ValueError, match="problems have 1 to 2 draws"):
        pool_scores({"a": Tally(1, 1, ()), "b": Tally(2, 1, ())})
