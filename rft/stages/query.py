"""Self-query, hindsight relabelling (paper appendix D): sampled paths get the question that they do solve.

`make_reverse_set` turns the human pairs round (path in, question out); `relabel` writes questions for sampled paths with
the model that learned this; `make_query_set` trains on them, with the human pairs or alone.

`relabel` writes `kept.jsonl.gz`, rows {"id", "key", "model", "draw", "text", "question", "answer"} (id: of the question
that was asked), and `solutions.jsonl`, a capped sample for people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.records import Problem, Sample, read_jsonl, write_json, write_jsonl
from rft.stages import Inputs, StageContext, Stats, only
from rft.stages.generation import generate
from rft.stages.problems import split_problems, subset_problems
from rft.stages.select import pool_samples
from rft.stages.trainset import EXAMPLES_FILE, REFERENCE_FILE
from rft.text.answers import equal, extract
from rft.text.hindsight import FAULTS, hindsight
from rft.text.overlap import normalise
from rft.text.world import Split
from rft.text.world.reading import read_question

NUM_SHOWN = 64
REASONS = (
    "truncated",
    *FAULTS,
    "right_answer",  # with relabel=wrong: rejection sampling's, not ours
    "duplicate_path",
    "truncated_question",
    "empty_question",
    "held_out_question",  # of the test or validation set
    "inconsistent_question",  # the SFT model answers it otherwise
)


@dataclass(frozen=True)
class Pair:
    """A sampled path with what it solves."""

    id: str  # of the question that was asked
    key: str
    model: str
    draw: int
    text: str  # its final answer is its last equation's
    answer: str
    question: str = ""  # that it solves

    @property
    def name(self) -> str:
        """Unique among pairs."""
        return f"{self.id}/{self.draw}"

    def to_json(self) -> dict[str, Any]:
        """The row of a paths file."""
        names = ("id", "key", "model", "draw", "text", "question", "answer")
        return {name: getattr(self, name) for name in names}


def make_reverse_set(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function: examples of the reverse task, in which a human path is asked and its question is the response."""
    human = subset_problems(split_problems(only(inputs, "data"), "train"), config["subset"])
    rows = [{"id": p.id, "question": p.solution, "solution": p.question, "source": "human"} for p in human]
    return write_examples(rows, out)


def relabel(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function: fitting paths of the pool, each with the question that the reverse model writes for it."""
    data = only(inputs, "data")
    problems = subset_problems(split_problems(data, "train"), config["subset"])
    samples = list(pool_samples(config, inputs["shards"]))
    drops: Counter[str] = Counter()
    paths = list(fitting_paths(samples, problems, config=config, drops=drops))
    asked = [Problem(path.name, path.text, "", path.answer) for path in paths]
    model = only(inputs, "model")
    written, work = _greedy(config["reverse"], asked, model=model, data=data, context=context)
    held_out = _HeldOut(data, config["world_seed"], config["world_limit"])
    pairs = list(_questioned(paths, written, held_out=held_out, drops=drops))
    if config["solve"] is not None:
        sft = only(inputs, "sft")
        posed = [Problem(pair.name, pair.question, "", pair.answer) for pair in pairs]
        solved, more = _greedy(config["solve"], posed, model=sft, data=data, context=context)
        pairs = list(_consistent(pairs, solved, rule=config["rule"], drops=drops))
        work = {name: work[name] + more[name] for name in work}
    assert len(pairs) + sum(drops.values()) == len(samples), "every sample is kept or counted once"
    write_jsonl(out / "kept.jsonl.gz", (pair.to_json() for pair in pairs))
    write_jsonl(out / "solutions.jsonl", map(_shown, pairs[:NUM_SHOWN]))
    facts = {
        "num_questions_sampled": len(problems),
        "num_samples": len(samples),
        "num_relabelled": len(pairs),
        "drop_counts": {reason: drops[reason] for reason in REASONS},
    }
    return {**work, "record": facts | _validity(pairs, limit=config["world_limit"])}


def _greedy(
    config: Mapping[str, Any], asked: Sequence[Problem], *, model: Path, data: Path, context: StageContext
) -> tuple[list[Sample], dict[str, Any]]:
    if not asked:
        return [], {"tokens": 0, "flops": 0.0}
    return generate(config, asked, num_draws=None, model=model, data=data, context=context)


def fitting_paths(
    samples: Sequence[Sample], problems: Sequence[Problem], *, config: Mapping[str, Any], drops: Counter[str]
) -> Iterator[Pair]:
    """The paths to relabel: equations hold, the answer wrong unless all are wanted, once per question and key.

    A text that several questions drew counts once: the reverse model would write the same question for it again.
    """
    golds = {problem.id: problem.gold for problem in problems}
    seen: set[Any] = set()
    for sample in samples:
        reading = hindsight(sample.text, kind=config["equations"], tolerance=config["tolerance"])
        answer = extract(config["rule"], sample.text)
        right = answer is not None and equal(config["rule"], answer, golds[sample.id])
        twice = bool({(sample.id, reading.key), reading.text} & seen)
        if sample.truncated or reading.fault is not None:
            drops["truncated" if sample.truncated else str(reading.fault)] += 1
        elif right and config["relabel"] == "wrong":
            drops["right_answer"] += 1
        elif twice:
            drops["duplicate_path"] += 1
        else:
            seen |= {(sample.id, reading.key), reading.text}
            yield Pair(sample.id, reading.key, sample.model, sample.draw, reading.text, reading.answer)


class _HeldOut:
    """Whether a question is one of the test or validation set: by its text, and in the embedded world by what it tells."""

    def __init__(self, data: Path, world_seed: int | None, world_limit: int | None) -> None:
        self._known = {normalise(p.question) for split in ("test", "validation") for p in split_problems(data, split)}
        self._seed, self._limit = world_seed, world_limit

    def __contains__(self, question: str) -> bool:
        if normalise(question) in self._known:
            return True
        if self._seed is None or self._limit is None:
            return False
        told = read_question(question, limit=self._limit)
        return told is not None and told.split(seed=self._seed) in (Split.TEST, Split.VALIDATION)


def _questioned(
    paths: Sequence[Pair], written: Sequence[Sample], *, held_out: _HeldOut, drops: Counter[str]
) -> Iterator[Pair]:
    for path, question in zip(paths, written, strict=True):
        assert question.id == path.name
        if question.truncated:
            drops["truncated_question"] += 1
        elif not question.text:
            drops["empty_question"] += 1
        elif question.text in held_out:
            drops["held_out_question"] += 1
        else:
            yield Pair(path.id, path.key, path.model, path.draw, path.text, path.answer, question.text)


def _consistent(pairs: Sequence[Pair], solved: Sequence[Sample], *, rule: str, drops: Counter[str]) -> Iterator[Pair]:
    for pair, solution in zip(pairs, solved, strict=True):
        answer = extract(rule, solution.text)
        if answer is not None and equal(rule, answer, pair.answer):
            yield pair
        else:
            drops["inconsistent_question"] += 1


def _validity(pairs: Sequence[Pair], *, limit: int | None) -> dict[str, Any]:
    """How many generated questions the embedded world can read, and how many of these their path solves."""
    if limit is None:
        return {}
    told = [(read_question(pair.question, limit=limit), pair.text) for pair in pairs]
    readable = [(question, text) for question, text in told if question is not None]
    return {
        "num_relabelled_readable": len(readable),
        "num_relabelled_valid": sum(question.solved_by(text) for question, text in readable),
    }


def _shown(pair: Pair) -> dict[str, Any]:
    return {
        "id": pair.id,
        "question": pair.question,
        "gold": pair.answer,
        "text": pair.text,
        "outcome": "correct",
        "source": "relabelled",
        "model": pair.model,
        "draw": pair.draw,
        "kept": True,
        "reason": None,
    }


def make_query_set(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function: the relabelled pairs, after the human ones where mixed. Raises ValueError when there are none."""
    human = subset_problems(split_problems(only(inputs, "data"), "train"), config["subset"])
    told = human if config["mix"] == "mixed" else []
    rows = [{"id": p.id, "question": p.question, "solution": p.solution, "source": "human"} for p in told]
    for row in read_jsonl(only(inputs, "select") / "kept.jsonl.gz"):
        rows.append({"id": row["id"], "question": row["question"], "solution": row["text"], "source": "relabelled"})
    if not rows:
        raise ValueError(
            "self_query.mix=alone has nothing to train on: no sampled path was relabelled. Raise k or temperature, "
            "set self_query.relabel=all, or self_query.mix=mixed"
        )
    return write_examples(rows, out)


def write_examples(rows: Sequence[Mapping[str, str]], out: Path) -> Stats:
    """The files of a training set whose epochs are counted over itself, and what its record holds."""
    write_jsonl(out / EXAMPLES_FILE, rows)
    write_json(out / REFERENCE_FILE, {"num_examples": len(rows), "num_reference_examples": len(rows)})
    num_human = sum(row["source"] == "human" for row in rows)
    facts = {"num_human": num_human, "num_augmented": len(rows) - num_human, "num_examples": len(rows)}
    return {"tokens": 0, "flops": 0.0, "record": facts}
