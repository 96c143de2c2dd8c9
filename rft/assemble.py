"""A cell's record from the outputs of its finished stages, and the per-item files beside it.

record = assemble(cell, store=store, hits={"3f2a...": True}, study="quickstart", provenance={...})
write_cell_files(cell, store=store, folder=Path("multirun_outputs/quickstart/3"))
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rft.infra.digest import digest
from rft.infra.store import Entry, Store
from rft.pipeline import CellPlan
from rft.records import (
    OUTCOMES_FILE,
    PATHS_FILE,
    SAMPLES_FILE,
    Outcome,
    Record,
    Score,
    StageCost,
    read_json,
    read_jsonl,
    write_jsonl,
)
from rft.stage import Stage
from rft.text.perturb import original_id
from rft.votes import Tally, pool_scores

ERROR_KINDS = {"a": "arithmetic_error", "p": "plan_error", "l": "lucky"}  # the embedded world's verdicts
MAX_SOLUTIONS = 64  # of each source in the cell's sample file


def assemble(
    cell: CellPlan, *, store: Store, hits: Mapping[str, bool], study: str, provenance: Mapping[str, Any]
) -> Record:
    """The record of a cell whose stages are all finished."""
    stages = {role: _entry(store, stage) for role, stage in cell.roles.items()}
    outcomes = list(_outcome_rows(stages))
    rows, origins = _stage_origins(cell, store)
    return Record(
        study=study,
        cell_id=cell.cell_id,
        cell_key=cell.cell_key,
        names=dict(cell.names),
        setting=dict(cell.setting),
        seeds=dict(cell.seeds),
        model=_model_facts(cell, stages),
        data=_data_facts(stages) | _perturbed_facts(stages, outcomes),
        scores=_scores(outcomes) | _perturbed_scores(outcomes),
        rates=_rates(outcomes),
        stages=rows,
        cost=[_stage_cost(stage, _entry(store, stage), hits) for stage in cell.stages],
        provenance={**provenance, "origins": origins},
        files={"outcomes": OUTCOMES_FILE, "samples": SAMPLES_FILE}
        | ({"paths": PATHS_FILE} if "select" in cell.roles else {}),
    )


def write_cell_files(cell: CellPlan, *, store: Store, folder: Path) -> None:
    """Outcomes, kept paths and a capped sample of solutions, so that a copied study needs no store."""
    stages = {role: _entry(store, stage) for role, stage in cell.roles.items()}
    write_jsonl(folder / OUTCOMES_FILE, _outcome_rows(stages))
    rows = list(itertools.islice(read_jsonl(stages["evaluate"].path / "solutions.jsonl"), MAX_SOLUTIONS))
    if "select" in stages:
        kept = read_jsonl(stages.get("thin", stages["select"]).path / "kept.jsonl.gz")
        write_jsonl(folder / PATHS_FILE, (row | {"seed": cell.seeds["sample_seed"]} for row in kept))
        rows += itertools.islice(read_jsonl(stages["select"].path / "solutions.jsonl"), MAX_SOLUTIONS)
    write_jsonl(folder / SAMPLES_FILE, rows)


def _stage_origins(cell: CellPlan, store: Store) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(a row per stage with the place of its origin and the digest of the weights it made, the distinct origins)."""
    origins: list[dict[str, Any]] = []
    rows = []
    for stage in cell.stages:
        entry = _entry(store, stage)
        made = entry.meta.get("origin", {})
        if made not in origins:
            origins.append(made)
        row = {"name": stage.kind, "key": stage.key, "origin": origins.index(made)}
        weights = weights_digest(entry)
        rows.append(row | ({"weights": weights} if weights else {}))
    return rows, origins


def weights_digest(entry: Entry) -> str | None:
    """One digest of a stage's weight files; None where it holds none."""
    found = {name: value for name, value in entry.digests.items() if name.endswith(".safetensors")}
    return digest(found) if found else None


def _entry(store: Store, stage: Stage) -> Entry:
    entry = store.get(stage.kind, stage.key)
    if entry is None:
        raise RuntimeError(f"stage {stage.kind} {stage.key} is not in the store {store.root}: start the run again")
    return entry


def _stats(entry: Entry) -> dict[str, Any]:
    stats: dict[str, Any] = entry.meta["stats"]
    return stats


def _outcome_rows(stages: Mapping[str, Entry]) -> Iterator[dict[str, Any]]:
    """One row per test problem: the greedy outcome, and where the cell has them that of its numbers-changed copy and the
    draws; joined by id."""
    copies = dict(_copied_rows(stages["perturbed"])) if "perturbed" in stages else {}
    draws = {row["id"]: row for row in read_jsonl(stages["vote"].path / OUTCOMES_FILE)} if "vote" in stages else {}
    for row in read_jsonl(stages["evaluate"].path / OUTCOMES_FILE):
        greedy = {name: row[name] for name in ("outcome", "answer", "kind") if name in row}
        merged = {"id": row["id"], "gold": row["gold"], "greedy": greedy}
        if row["id"] in copies:
            merged["perturbed"] = copies[row["id"]]
        if draws:
            vote = draws[row["id"]]
            merged["draws"] = {
                name: vote[name] for name in ("outcomes", "answers", "rivals", "paths", "kinds") if name in vote
            }
        yield merged


def _copied_rows(entry: Entry) -> Iterator[tuple[str, dict[str, Any]]]:
    """The outcome on each numbers-changed copy, by the id of the original."""
    for row in read_jsonl(entry.path / OUTCOMES_FILE):
        yield original_id(row["id"]), {name: row[name] for name in ("gold", "outcome", "answer")}


def _perturbed_scores(outcomes: list[dict[str, Any]]) -> dict[str, Score]:
    """Accuracy on the copies, and on the originals of these problems alone: copies lean to plain equations."""
    copied = [row for row in outcomes if "perturbed" in row]
    if not copied:
        return {}
    hits = {name: sum(_is_hit(row[name]) for row in copied) for name in ("perturbed", "greedy")}
    return {
        "maj1@1_perturbed": Score.binomial(hits["perturbed"], len(copied)),
        "maj1@1_originals_of_perturbed": Score.binomial(hits["greedy"], len(copied)),
    }


def _perturbed_facts(stages: Mapping[str, Entry], outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of the copy, and copy minus original over the same problems, with its paired standard error."""
    if "perturbed" not in stages:
        return {}
    pairs = [(row["perturbed"], row["greedy"]) for row in outcomes if "perturbed" in row]
    change = Score.mean([float(_is_hit(copy)) - float(_is_hit(original)) for copy, original in pairs])
    counts = _stats(stages["perturb"])["record"]["perturbed"]
    return {"perturbed": counts | {"difference": change.value, "difference_se": change.se}}


def _is_hit(solution: Mapping[str, Any]) -> bool:
    return solution["outcome"] == Outcome.CORRECT.letter


def _scores(outcomes: list[dict[str, Any]]) -> dict[str, Score]:
    hits = sum(_is_hit(row["greedy"]) for row in outcomes)
    scores = {"maj1@1": Score.binomial(hits, len(outcomes))}
    if "draws" in outcomes[0]:
        draws = {row["id"]: row["draws"] for row in outcomes}
        scores |= pool_scores({name: Tally.of(drawn["outcomes"], drawn["rivals"]) for name, drawn in draws.items()})
    return scores


def _rates(outcomes: list[dict[str, Any]]) -> dict[str, Score]:
    """Shares of the greedy solutions, of all test problems."""
    n = len(outcomes)
    letters = [row["greedy"]["outcome"] for row in outcomes]
    rates = {
        "no_answer": Score.binomial(letters.count(Outcome.NO_ANSWER.letter), n),
        "truncated": Score.binomial(letters.count(Outcome.TRUNCATED.letter), n),
    }
    if "kind" in outcomes[0]["greedy"]:
        kinds = [row["greedy"]["kind"] for row in outcomes]
        rates |= {name: Score.binomial(kinds.count(letter), n) for letter, name in ERROR_KINDS.items()}
    return rates


def _model_facts(cell: CellPlan, stages: Mapping[str, Entry]) -> dict[str, Any]:
    facts = dict(cell.model_facts)
    facts |= read_json(stages["base"].path / "model_facts.json")
    facts |= read_json(stages["loss"].path / "loss.json")
    facts["base_weights"] = weights_digest(stages["base"])
    return facts


def _data_facts(stages: Mapping[str, Entry]) -> dict[str, Any]:
    facts: dict[str, Any] = {"dataset": _stats(stages["data"])["dataset"]}
    for role in ("select", "thin", "trainset", "model", "evaluate"):
        if role in stages:
            facts |= _stats(stages[role]).get("record", {})
    facts["eval_subset"] = _stats(stages["evaluate"])["eval_subset"]
    return facts


def _stage_cost(stage: Stage, entry: Entry, hits: Mapping[str, bool]) -> StageCost:
    stats = _stats(entry)
    return StageCost(stage.kind, stage.key, entry.seconds, stats["flops"], stats["tokens"], hits.get(stage.key, True))
