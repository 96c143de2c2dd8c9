"""The compatibility setting against an independent slow implementation, written from the facts about the paper alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from oracle import paper_selection as oracle

from rft.records import Problem, Sample
from rft.text.answers import grade
from rft.text.selection import policy_named, select

POOLS = range(5)


def ours(rows: list[dict[str, Any]], **changes: Any) -> tuple[set[tuple[Any, ...]], dict[str, int]]:
    golds = {row["id"]: row["gold"] for row in rows}
    problems = [Problem(name, "", "", gold) for name, gold in golds.items()]
    samples = [Sample(row["id"], row["draw"], row["text"], False, 1, row.get("model", "")) for row in rows]
    selection = select(samples, problems, policy=policy_named("paper_script", **changes))
    return {(path.id, path.model, path.draw, path.key) for path in selection.kept}, selection.drop_counts


@pytest.mark.parametrize("seed", POOLS)
@pytest.mark.parametrize(
    ("tie_break", "variant", "current"),
    [("others", "algorithm1", "scored"), ("others", "released", "incumbent"), ("scored", "released", "scored")],
)
def test_kept_paths_are_the_oracles(seed: int, tie_break: str, variant: str, current: str):
    models = 1 + seed % 3  # the oracle compares all paths of a question with one another
    rows = oracle.generate_pool(seed, num_questions=12 // models, num_draws=30, num_models=models)
    kept, _ = ours(rows, tie_break=tie_break)
    theirs = oracle.select(rows, variant=variant, current=current)
    assert kept == {(row["id"], row.get("model", ""), row["draw"], row["key"]) for row in theirs}
    assert len(kept) > 20


@pytest.mark.parametrize("seed", POOLS)
def test_drop_counts_are_the_oracles(seed: int):
    rows = oracle.generate_pool(seed, num_questions=12, num_draws=30)
    _, drops = ours(rows)
    theirs = oracle.drop_counts(rows)
    assert drops["no_answer"] + drops["wrong_answer"] == theirs["no_answer"] + theirs["wrong_answer"]
    assert drops["no_answer"] >= theirs["no_answer"]  # an answer that is no number, such as '#### ,', is none here
    assert all(drops[name] == theirs[name] for name in ("false_equation", "duplicate_path"))


@pytest.mark.parametrize("seed", POOLS)
def test_grades_are_the_oracles(seed: int):
    rows = oracle.generate_pool(seed, num_questions=12, num_draws=30)
    found: Counter[bool] = Counter()
    for row in rows:
        correct = grade("paper", row["text"], row["gold"], False).value == "correct"
        assert correct == oracle.eval_correct(row["text"], row["gold"]), row["text"]
        found[correct] += 1
    assert min(found[True], found[False]) > 20
