"""Self-revise (paper appendix D): question and sampled draft in, human path out.

    with_drafts(problems, "world_revise", folder)      # the same problems, each asked together with its greedy draft

A training example is a row {"id", "question": question and draft, "solution": the human path, "source": "human"}.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from rft.records import OUTCOMES_FILE, Outcome, Problem, Sample, read_jsonl
from rft.stages import SAMPLES_FILE, Inputs, StageContext, Stats, only
from rft.stages.problems import split_problems, subset_problems
from rft.stages.query import write_examples
from rft.text.answers import grade
from rft.text.dedup import MAX_DISTANCE_TEXT
from rft.text.prompts import template_named


def make_revise_set(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function: an example for each draft, or one a question with the farthest. Raises RuntimeError when short."""
    human = subset_problems(split_problems(only(inputs, "data"), "train"), config["subset"])
    drafts = _drafts(inputs["shards"], num_drafts=config["num_drafts"])
    template = template_named(config["prompt"])
    rows, num_right = [], 0
    for problem in human:
        own = drafts.get(problem.id, [])
        if len(own) != config["num_drafts"]:
            raise RuntimeError(f"{problem.id} has {len(own)} drafts, expected {config['num_drafts']}: a shard is short")
        for draft in [farthest(own, problem.solution)] if config["choose"] == "farthest" else own:
            asked = template.with_draft(problem.question, draft.text)
            rows.append({"id": problem.id, "question": asked, "solution": problem.solution, "source": "human"})
            num_right += grade(config["rule"], draft.text, problem.gold, draft.truncated) is Outcome.CORRECT
    stats = write_examples(rows, out)
    facts = {"num_human": len(human), "num_augmented": len(rows) - len(human), "num_examples": len(rows)}
    return stats | {"record": facts | {"draft_correct_frac": num_right / len(rows)}}


def _drafts(shards: Sequence[Path], *, num_drafts: int) -> dict[str, list[Sample]]:
    """The first drafts of each question, in order."""
    drafts: dict[str, list[Sample]] = {}
    for folder in shards:
        for row in read_jsonl(folder / SAMPLES_FILE):
            if row["draw"] < num_drafts:
                drafts.setdefault(row["id"], []).append(Sample.from_json(row))
    return {name: sorted(own, key=lambda sample: sample.draw) for name, own in drafts.items()}


def farthest(drafts: Sequence[Sample], human: str) -> Sample:
    """The draft with the largest edit distance to the human path; of equals the first."""
    short = human[:MAX_DISTANCE_TEXT]
    return max(drafts, key=lambda draft: Levenshtein.distance(draft.text[:MAX_DISTANCE_TEXT], short))


def with_drafts(problems: Sequence[Problem], prompt: str, drafts: Path) -> list[Problem]:
    """Problems as a revise template asks them, each with its greedy solution in an evaluation's folder."""
    template = template_named(prompt)
    texts = {row["id"]: row["text"] for row in read_jsonl(drafts / SAMPLES_FILE)}
    return [dataclasses.replace(p, question=template.with_draft(p.question, texts[p.id])) for p in problems]


def revision_facts(drafts: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """What revising did to the greedy outcomes of the drafts' evaluation."""
    right = Outcome.CORRECT.letter
    drafted = {row["id"]: row["outcome"] for row in read_jsonl(drafts / OUTCOMES_FILE)}
    before_after = [(drafted[row["id"]] == right, row["outcome"] == right) for row in rows]
    return {
        "num_drafts_correct": sum(before for before, _ in before_after),
        "num_revised_to_correct": sum(not before and after for before, after in before_after),
        "num_revised_to_wrong": sum(before and not after for before, after in before_after),
    }
