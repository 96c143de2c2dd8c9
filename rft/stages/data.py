"""The problems of a data set: `train_pool.jsonl`, `validation.jsonl`, `test.jsonl`, rows of rft.records.Problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rft.config import WorldConfig
from rft.infra.hub import HUB_PREFIX, hub_rows
from rft.records import Problem, write_jsonl
from rft.stages import Inputs, StageContext, Stats
from rft.stages.problems import FILES
from rft.text.gsm8k import RELEASES, Reading, checked_problems, read_file, release_status
from rft.text.overlap import refuse_overlap
from rft.text.subsets import split
from rft.text.world import Split, world_problems


def make_data(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function; see rft.stages. Raises ValueError for bad files and for training questions in the test set."""
    splits, dataset = _world(config) if config["kind"] == "world" else _files(config, context.hints)
    for name, problems in splits.items():
        write_jsonl(out / FILES[name], (problem.to_json() for problem in problems))
    counts = {f"num_{'pool' if name == 'train' else name}": len(problems) for name, problems in splits.items()}
    return {"tokens": 0, "flops": 0.0, "dataset": dataset | counts}


def _world(config: Mapping[str, Any]) -> tuple[dict[str, list[Problem]], dict[str, Any]]:
    world = WorldConfig(**config["world"])
    splits = {
        "train": world_problems(world, split=Split.POOL, count=config["num_pool"]),
        "validation": world_problems(world, split=Split.VALIDATION, count=config["num_validation"]),
        "test": world_problems(world, split=Split.TEST, count=config["num_test"]),
    }
    return splits, {"kind": "world"}


def _files(config: Mapping[str, Any], hints: Mapping[str, Any]) -> tuple[dict[str, list[Problem]], dict[str, Any]]:
    read = {name: _read(hints[name], split=name, config=config) for name in ("train", "test")}
    train, test = read["train"].problems, read["test"].problems
    refuse_overlap([p.question for p in train], [p.question for p in test], name="the training file")
    kept, held = split([problem.id for problem in train], size=config["num_validation"])
    by_id = {problem.id: problem for problem in train}
    splits = {"train": _named(by_id, kept), "validation": _named(by_id, held), "test": test}
    releases = {"train": release_status(train, split="train"), "test": release_status(test, split="test")}
    status = {name: release.status for name, release in releases.items()}
    facts: dict[str, Any] = {"kind": "jsonl", "gsm8k_release": status}
    facts["dropped_rows"] = {name: found.dropped for name, found in read.items()}
    fetched = {name: hints[name] for name in releases if hints[name].startswith(HUB_PREFIX)}
    if fetched:  # known by its name alone before it is read: the record says what came
        facts["fetched"] = {name: {"from": fetched[name], "sha256": releases[name].digest} for name in fetched}
    return splits, facts


def _read(path: str, *, split: str, config: Mapping[str, Any]) -> Reading:
    """From a file, or from the hub. Raises ValueError when the hub has other rows than the study was planned with."""
    limit: int | None = config[f"{split}_limit"]
    checks = {name: config[name] for name in ("rule", "on_bad_gold", "on_duplicate")}
    if not path.startswith(HUB_PREFIX):
        return read_file(path, limit=limit, **checks)
    found = checked_problems(hub_rows(path, split=split), name=f"{path}, split {split}", limit=limit, **checks)
    planned = RELEASES[split][0] if limit is None else limit
    if len(found.problems) != planned:
        raise ValueError(
            f"{path} has {len(found.problems)} {split} rows, the study was planned with {planned}: set data.{split}_limit"
        )
    return found


def _named(by_id: Mapping[str, Problem], names: Iterable[str]) -> list[Problem]:
    return [by_id[name] for name in names]
