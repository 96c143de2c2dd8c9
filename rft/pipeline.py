"""The paper's method as a graph of stages: `plan` says what a cell rests on, `execute` computes what is missing.

    cell = plan(cfg, sources)              # pure: no device, no disk
    cell.stages                            # every stage in dependency order
    execute(cell.stages, store=store, runtime=cfg.runtime)

Sections of the paper: SFT 3.2, RFT 3.3 and algorithm 1 (A.3), unions 3.3, voting A.1, the variants (rft.variants) D.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.config import Method, ModelConfig, RuntimeConfig, StudyConfig, Thin
from rft.graph import (
    base_stage,
    data_stage,
    evaluate_stage,
    finetune_stage,
    loss_stage,
    perturb_stage,
    select_stage,
    selection_choices,
    shard_stages,
    thin_stage,
    trainset_stage,
    vote_stage,
)
from rft.infra.digest import digest
from rft.infra.store import Entry, Store
from rft.infra.threads import limit_threads
from rft.stage import Sources, Stage, pretrain_budget, seeds
from rft.stages import STAGE_KINDS, StageContext
from rft.text.prompts import REVISE
from rft.variants import UNUSED, VARIANTS, for_task, named_choices

THINNED = ", thinned"  # after the policy's name, in a cell's values
PUBLISHED = ("published_loss", "published_loss_source", "licence")
SAMPLING_METHODS = (Method.rft, Method.sft_matched, Method.oracle_paths, Method.fresh_human)


@dataclass(frozen=True)
class CellPlan:
    """One cell: its identity, its stages in dependency order, and the stages that its record reads."""

    cell_id: str
    cell_key: str
    cell: Mapping[str, Any]  # swept values; null where without meaning for the method
    collapsed: tuple[str, ...]  # swept keys that the method does not use
    stages: tuple[Stage, ...]
    roles: Mapping[
        str, Stage
    ]  # 'data', 'base', 'loss', 'trainset', 'model', 'select', 'evaluate', 'vote', 'perturbed', ...
    model_facts: Mapping[str, Any]  # what the configuration knows of the model


def plan(cfg: StudyConfig, sources: Sources) -> CellPlan:
    """All stages of one cell. Pure: the same config and sources give the same keys anywhere."""
    data = data_stage(cfg, sources)
    base = base_stage(cfg, sources, model=cfg.model)
    roles = {"data": data, "base": base, "loss": loss_stage(cfg, sources, model=cfg.model, base=base)}

    if cfg.method is Method.icl:
        final, num_shots = base, cfg.data.num_shots
    elif cfg.method in VARIANTS:
        roles |= VARIANTS[cfg.method](cfg, sources, data=data, base=base)
        final, num_shots = roles["model"], 0
    else:
        select = _select(cfg, sources, data) if cfg.method in SAMPLING_METHODS else None
        roles |= {"select": select} if select else {}
        if select and thins(cfg):
            select = roles["thin"] = _thinned(cfg, sources, data, select)
        trainset = trainset_stage(cfg, sources, method=cfg.method, data=data, select=select)
        final, num_shots = finetune_stage(cfg, sources, model=cfg.model, base=base, trainset=trainset), 0
        roles["trainset"] = trainset

    roles["model"] = final
    asked = for_task(cfg, REVISE) if "drafts" in roles else cfg
    given = {"drafts": (roles["drafts"],)} if "drafts" in roles else {}
    common: dict[str, Any] = {"model": asked.model, "weights": final, "data": data, "num_shots": num_shots}
    roles["evaluate"] = _also_given(evaluate_stage(asked, sources, **common), given)
    if cfg.eval.perturbed_seed is not None:
        roles["perturb"] = perturb_stage(cfg, sources, data=data)
        roles["perturbed"] = _on_other_data(roles["evaluate"], roles["perturb"])
    if cfg.eval.vote_k is not None:
        drawn = shard_stages(asked, sources, split=cfg.eval.split.value, num_draws=cfg.eval.vote_k, **common)
        shards = tuple(_also_given(shard, given) for shard in drawn)
        roles["vote"] = vote_stage(cfg, sources, data=data, shards=shards)
    return _cell_plan(cfg, roles)


def _also_given(stage: Stage, inputs: Mapping[str, tuple[Stage, ...]]) -> Stage:
    return dataclasses.replace(stage, inputs={**stage.inputs, **inputs})


def _on_other_data(evaluate: Stage, data: Stage) -> Stage:
    """The same evaluation on another data folder; what it rests on there (drafts) is evaluated there too."""
    inputs = {**evaluate.inputs, "data": (data,)}
    if "drafts" in inputs:
        inputs["drafts"] = tuple(_on_other_data(draft, data) for draft in inputs["drafts"])
    return dataclasses.replace(evaluate, label=f"{evaluate.label}, {data.label}", inputs=inputs)


def _select(cfg: StudyConfig, sources: Sources, data: Stage) -> Stage:
    """Sample k solutions per question from each donor's SFT model, then keep the correct and distinct ones."""
    pools: dict[str, tuple[Stage, ...]] = {}
    for donor in _donors(cfg):
        base = base_stage(cfg, sources, model=donor)
        trainset = trainset_stage(cfg, sources, method=Method.sft, data=data)
        sft = finetune_stage(cfg, sources, model=donor, base=base, trainset=trainset)
        shards = shard_stages(cfg, sources, model=donor, weights=sft, data=data, split="train", num_draws=cfg.k)
        pools[donor.name] = tuple(shards)
    return select_stage(cfg, sources, data=data, pools=pools)


def _thinned(cfg: StudyConfig, sources: Sources, data: Stage, union: Stage) -> Stage:
    """The union cut to as many paths as the model's own pool with as many draws keeps."""
    own = dataclasses.replace(cfg, union=[], k=cfg.k * len(cfg.union))
    return thin_stage(cfg, sources, select=union, like=_select(own, sources, data))


def thins(cfg: StudyConfig) -> bool:
    """Whether the cell's union gives paths up."""
    return bool(cfg.union) and cfg.select.thin is Thin.own


def _donors(cfg: StudyConfig) -> list[ModelConfig]:
    """The models whose samples are pooled: the union's as listed, or the model itself."""
    return [cfg.donors[name] for name in cfg.union] if cfg.union else [cfg.model]


def _cell_plan(cfg: StudyConfig, roles: Mapping[str, Stage]) -> CellPlan:
    cell, collapsed = cell_values(cfg)
    key = digest([{role: stage.key for role, stage in roles.items()}, cell])
    facts = {name: getattr(cfg.model, name) for name in ("name", "family", "post_trained", *PUBLISHED)}
    facts["pretrain_tokens"] = cell["pretrain_tokens"]
    return CellPlan(_cell_id(cell, key), key, cell, collapsed, tuple(in_order(roles.values())), dict(roles), facts)


def in_order(targets: Iterable[Stage]) -> list[Stage]:
    """The targets and all that they rest on, inputs first, each key once."""
    done: dict[str, Stage] = {}

    def visit(stage: Stage) -> None:
        if stage.key in done:
            return
        for stages in stage.inputs.values():
            for one in stages:
                visit(one)
        done[stage.key] = stage

    for target in targets:
        visit(target)
    return list(done.values())


def cell_values(cfg: StudyConfig) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Every swept value, and the keys that were set but mean nothing for the method (null in the values)."""
    data_seed, train_seed, sample_seed = seeds(cfg)
    values: dict[str, Any] = {
        "model": cfg.model.name,
        "data": cfg.data.name,
        "method": cfg.method.value,
        "data_frac": cfg.data_frac,
        "k": cfg.k,
        "union": list(cfg.union),
        "temperature": cfg.temperature,
        "seed": cfg.seed,
        "data_seed": data_seed,
        "train_seed": train_seed,
        "sample_seed": sample_seed,
        "pretrain_seed": cfg.pretrain_seed,
        "pretrain_tokens": cfg.model.pretrain_tokens if cfg.model.arch is None else pretrain_budget(cfg, cfg.model),
        "sample_from": cfg.sample_from.value,
        "epochs": cfg.train.epochs,
        "epoch_rule": cfg.train.epoch_rule.value,
        "examples_frac": cfg.train.examples_frac,
        "policy": cfg.select.policy,
        "human_style": cfg.data.world.human_style if cfg.data.world else None,
    }
    without_meaning: set[str] = set()
    if cfg.method in VARIANTS:
        without_meaning |= UNUSED[cfg.method]
    elif cfg.method not in SAMPLING_METHODS:
        without_meaning |= {"k", "union", "temperature", "sample_from", "policy"}
    if "temperature" in without_meaning and cfg.eval.vote_k is None:  # nothing is sampled
        without_meaning |= {"sample_seed"}
    if cfg.method is Method.icl:
        without_meaning |= {"data_frac", "train_seed", "epochs", "epoch_rule", "examples_frac"}
    if cfg.model.arch is None:
        without_meaning |= {"pretrain_seed"}
    if cfg.method in SAMPLING_METHODS:
        values["policy"] += "".join(f", {name} {value}" for name, value in selection_choices(cfg).items())
        values["policy"] += THINNED if thins(cfg) else ""
    if cfg.train.lora_rank is not None and cfg.method is not Method.icl:
        values["lora_rank"] = cfg.train.lora_rank
    for name in without_meaning:
        values[name] = None
    values |= named_choices(cfg)
    return values, tuple(sorted(without_meaning))


def _cell_id(cell: Mapping[str, Any], key: str) -> str:
    """Readable and unique within a study."""
    parts = [str(cell["model"]), str(cell["method"])]
    parts += [f"f{cell['data_frac']:g}"] if cell["data_frac"] is not None else []
    parts += [f"k{cell['k']}"] if cell["k"] is not None else []
    parts += ["u" + "+".join(cell["union"])] if cell["union"] else []
    return "_".join([*parts, f"s{cell['seed']}"]) + f"-{key[:8]}"


@dataclass(frozen=True)
class StageTask:
    """A stage as a worker needs it: picklable, with inputs by name and key."""

    kind: str
    key: str
    config: Mapping[str, Any]
    hints: Mapping[str, Any]
    inputs: Mapping[str, tuple[tuple[str, str], ...]]  # role -> (kind, key) of each input


def stage_task(stage: Stage) -> StageTask:
    """The task of a stage."""
    inputs = {role: tuple((one.kind, one.key) for one in stages) for role, stages in stage.inputs.items()}
    return StageTask(stage.kind, stage.key, stage.config, stage.hints, inputs)


def run_stage(
    task: StageTask,
    *,
    store: Store,
    runtime: RuntimeConfig,
    report: Callable[[float], None] = lambda share: None,
    wait: bool = True,
) -> Entry:
    """Compute one stage whose inputs are finished, or find it finished.

    Raises what the stage function raises, and rft.infra.store.Busy when another process computes it and not `wait`.
    """

    def fill(out: Path) -> dict[str, Any]:
        folders = {role: tuple(_finished(store, *ref) for ref in refs) for role, refs in task.inputs.items()}
        context = StageContext(runtime=runtime, hints=task.hints, report=report)
        limit_threads(runtime.threads)
        function = STAGE_KINDS[task.kind].load()
        limit_threads(runtime.threads)  # again: loading the function may have imported torch
        stats = function(task.config, folders, out, context)
        return {"tokens": stats["tokens"], "flops": stats["flops"], "stats": stats}

    meta = {
        "config": dict(task.config),
        "inputs": {role: [list(ref) for ref in refs] for role, refs in task.inputs.items()},
    }
    return store.compute(task.kind, task.key, fill, meta=meta, wait=wait)


def _finished(store: Store, kind: str, key: str) -> Path:
    entry = store.get(kind, key)
    if entry is None:
        raise RuntimeError(
            f"input {kind} {key} is not in the store {store.root} (damaged or deleted?): start the run again"
        )
    return entry.path


def run_stage_task(payload: tuple[StageTask, str, RuntimeConfig], report: Callable[[float], None]) -> bool:
    """Entry point of a worker process: (task, store root, runtime) -> whether it was a cache hit."""
    task, root, runtime = payload
    return run_stage(task, store=Store(Path(root)), runtime=runtime, report=report, wait=False).cache_hit


def execute(
    stages: Iterable[Stage],
    *,
    store: Store,
    runtime: RuntimeConfig,
    on_stage: Callable[[Stage, Entry], None] = lambda stage, entry: None,
) -> dict[str, bool]:
    """Compute what is missing, in order, in this process; returns whether each stage (by key) was found finished."""
    hits: dict[str, bool] = {}
    for stage in stages:
        entry = run_stage(stage_task(stage), store=store, runtime=runtime)
        hits[stage.key] = entry.cache_hit
        on_stage(stage, entry)
    return hits
