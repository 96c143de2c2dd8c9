"""Greedy decoding of a split, graded: maj1@1 with per-problem outcomes.

Writes `outcomes.jsonl.gz`, rows {"id", "gold", "outcome": "C", "answer": "51", "kind": "v"} (kind in the embedded world
alone), `samples.jsonl.gz` (rows of rft.records.Sample, draw -1), and `solutions.jsonl`, a capped sample for people.
A model that revises is shown the greedy drafts of an earlier evaluation with the questions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rft.records import OUTCOMES_FILE, Problem, Sample, read_jsonl, write_jsonl
from rft.stages import SAMPLES_FILE, Inputs, StageContext, Stats, only
from rft.stages.generation import generate
from rft.stages.problems import split_problems
from rft.stages.revise import revision_facts, with_drafts
from rft.text.answers import extract, grade
from rft.text.equations import equation_key
from rft.text.scoring import rivals
from rft.text.world import verdict

NUM_SHOWN = 64


def evaluate(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function; see rft.stages."""
    everything = split_problems(only(inputs, "data"), config["split"])
    problems = everything[: config["num_problems"]]
    drafts = only(inputs, "drafts") if "drafts" in inputs else None
    asked = problems if drafts is None else with_drafts(problems, config["prompt"], drafts)
    samples, work = generate(
        config, asked, num_draws=None, model=only(inputs, "model"), data=only(inputs, "data"), context=context
    )
    write_jsonl(out / SAMPLES_FILE, (sample.to_json() for sample in samples))
    rows = [graded(problem, sample, rule=config["rule"]) for problem, sample in zip(problems, samples, strict=True)]
    write_jsonl(out / OUTCOMES_FILE, rows)
    shown = itertools.islice(zip(problems, samples, strict=True), NUM_SHOWN)
    write_jsonl(out / "solutions.jsonl", (_shown(p, s, rule=config["rule"]) for p, s in shown))
    subset = f"{config['split']}: first {len(problems)} of {len(everything)}"
    return {**work, "eval_subset": subset, "record": {} if drafts is None else revision_facts(drafts, rows)}


def graded(problem: Problem, sample: Sample, *, rule: str) -> dict[str, Any]:
    """Outcome, answer and (embedded world) kind of error of one solution."""
    assert sample.id == problem.id
    row: dict[str, Any] = {
        "id": problem.id,
        "gold": problem.gold,
        "outcome": grade(rule, sample.text, problem.gold, sample.truncated).letter,
        "answer": extract(rule, sample.text),
    }
    if problem.spec is not None:
        row["kind"] = verdict(problem, sample.text).value[0]
    return row


def _shown(problem: Problem, sample: Sample, *, rule: str) -> dict[str, Any]:
    return {
        "id": problem.id,
        "question": problem.question,
        "gold": problem.gold,
        "text": sample.text,
        "outcome": grade(rule, sample.text, problem.gold, sample.truncated).value,
        "source": "greedy",
        "model": sample.model,
        "draw": sample.draw,
        "kept": None,
        "reason": None,
    }


def vote(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function: outcomes of the first K draws of every test problem, from the shards of a pool.

    Writes `outcomes.jsonl.gz`, rows {"id", "gold", "outcomes": "CWN", "answers": ["51", "50", null],
    "rivals": [null, 0, null], "paths": [0, 1, null], "kinds": "vpp"}; "rivals" numbers the wrong answers that draws vote for,
    "paths" a problem's distinct equation lists (null: no equations).
    Raises RuntimeError when a problem has fewer than K draws.
    """
    problems = split_problems(only(inputs, "data"), config["split"])[: config["num_problems"]]
    drawn: dict[str, list[Sample]] = {problem.id: [] for problem in problems}
    for folder in inputs["shards"]:
        for row in read_jsonl(folder / SAMPLES_FILE):
            if row["draw"] < config["k"]:
                drawn[row["id"]].append(Sample.from_json(row))
    write_jsonl(out / OUTCOMES_FILE, _vote_rows(problems, drawn, config=config))
    return {"tokens": 0, "flops": 0.0}


def _vote_rows(
    problems: Sequence[Problem], drawn: Mapping[str, list[Sample]], *, config: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for problem in problems:
        samples = sorted(drawn[problem.id], key=lambda sample: sample.draw)
        if [sample.draw for sample in samples] != list(range(config["k"])):
            raise RuntimeError(
                f"problem {problem.id} has {len(samples)} draws, expected {config['k']}: a shard is short"
            )
        rows = [graded(problem, sample, rule=config["rule"]) for sample in samples]
        outcomes = "".join(row["outcome"] for row in rows)
        merged: dict[str, Any] = {"id": problem.id, "gold": problem.gold, "outcomes": outcomes}
        merged["answers"] = [row["answer"] for row in rows]
        merged["rivals"] = rivals(outcomes, merged["answers"])
        merged["paths"] = path_indices([sample.text for sample in samples])
        if problem.spec is not None:
            merged["kinds"] = "".join(row["kind"] for row in rows)
        yield merged


def path_indices(texts: Sequence[str]) -> list[int | None]:
    """For each text the number of its equation list among the distinct ones, by first appearance; None without equations."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(key, len(numbers)) if (key := equation_key(text)) else None for text in texts]
