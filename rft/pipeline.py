"""The paper's method as a graph of stages: `plan` says what a cell rests on, `execute` computes what is missing.

    cell = plan(cfg, sources)              # pure: no device, no disk
    cell.stages                            # every stage in dependency order
    execute(cell.stages, store=store, runtime=cfg.runtime)

Sections of the paper: SFT 3.2, RFT 3.3 and algorithm 1 (A.3), unions 3.3, voting A.1, the variants (rft.variants) D.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.config import Method, ModelConfig, RuntimeConfig, StudyConfig, Thin
from rft.fields import Role, specs
from rft.graph import (
    base_stage,
    data_stage,
    evaluate_stage,
    finetune_stage,
    loss_stage,
    perturb_stage,
    select_stage,
    shard_stages,
    thin_stage,
    trainset_stage,
    vote_stage,
)
from rft.infra.devices import resolve_device
from rft.infra.digest import digest
from rft.infra.numerics import current, require
from rft.infra.origin import origin
from rft.infra.store import Entry, Store
from rft.infra.threads import limit_threads
from rft.reading import Reading, given, unnoted, watched
from rft.sources import filled_in
from rft.stage import Sources, Stage
from rft.stages import STAGE_KINDS, StageContext
from rft.text.prompts import REVISE
from rft.variants import VARIANTS, for_task

PUBLISHED = ("published_loss", "published_loss_source", "licence")
SAMPLING_METHODS = (Method.rft, Method.sft_matched, Method.oracle_paths, Method.fresh_human)


@dataclass(frozen=True)
class CellPlan:
    """One cell: its identity, its stages in dependency order, and the stages that its record reads."""

    cell_id: str
    cell_key: str
    names: Mapping[str, str]  # what people call its model and its data
    setting: Mapping[
        str, Any
    ]  # all of the configuration that planning read: what can change its results, but the seeds
    seeds: Mapping[str, int]  # the replicate: the seeds that planning read
    unused: tuple[str, ...]  # keys of the top level that mean nothing for it
    stages: tuple[Stage, ...]
    roles: Mapping[
        str, Stage
    ]  # 'data', 'base', 'loss', 'trainset', 'model', 'select', 'evaluate', 'vote', 'perturbed', ...
    model_facts: Mapping[str, Any]  # what the configuration knows of the model


def plan(cfg: StudyConfig, sources: Sources) -> CellPlan:
    """All stages of one cell. Pure: the same config and sources give the same keys anywhere.

    Raises ValueError for a size beyond what the data set holds.
    """
    reading, full = Reading(), filled_in(cfg, sources)
    roles = _roles(watched(full, reading), sources)
    return _cell_plan(full, reading, roles)


def _roles(cfg: StudyConfig, sources: Sources) -> dict[str, Stage]:
    """The stages that the record reads. What is read of the configuration here and below is the cell's setting."""
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
    if unnoted(cfg).eval.perturbed_seed is not None:  # a measure that is not asked for is no part of the setting
        roles["perturb"] = perturb_stage(cfg, sources, data=data)
        roles["perturbed"] = _on_other_data(roles["evaluate"], roles["perturb"])
    if unnoted(cfg).eval.vote_k is not None:
        assert cfg.eval.vote_k is not None
        drawn = shard_stages(asked, sources, split=cfg.eval.split.value, num_draws=cfg.eval.vote_k, **common)
        shards = tuple(_also_given(shard, given) for shard in drawn)
        roles["vote"] = vote_stage(cfg, sources, data=data, shards=shards)
    return roles


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
    own = given(cfg, {"union": [], "k": cfg.k * len(cfg.union)})
    return thin_stage(cfg, sources, select=union, like=_select(own, sources, data))


def thins(cfg: StudyConfig) -> bool:
    """Whether the cell's union gives paths up."""
    return bool(cfg.union) and cfg.select.thin is Thin.own


def _donors(cfg: StudyConfig) -> list[ModelConfig]:
    """The models whose samples are pooled: the union's as listed, or the model itself."""
    return [cfg.donors[name] for name in cfg.union] if cfg.union else [cfg.model]


def _cell_plan(cfg: StudyConfig, reading: Reading, roles: Mapping[str, Stage]) -> CellPlan:
    names = {"model": cfg.model.name, "data": cfg.data.name}
    facts = {name: getattr(cfg.model, name) for name in ("name", "family", "post_trained", *PUBLISHED)}
    facts["pretrain_tokens"] = cfg.model.pretrain_tokens if cfg.model.pretrain is None else cfg.model.pretrain.tokens
    facts["base_key"], facts["base_setting"] = roles["base"].key, roles["base"].key_without_seed
    key = digest([{role: stage.key for role, stage in roles.items()}, reading.setting, reading.seeds])
    return CellPlan(
        _cell_id(cfg, reading, key),
        key,
        names,
        reading.setting,
        reading.seeds,
        tuple(sorted(_unused(cfg, reading))),
        tuple(in_order(roles.values())),
        dict(roles),
        facts,
    )


def _unused(cfg: StudyConfig, reading: Reading) -> Iterator[str]:
    """Keys of the top level that were not read, of those that have a value."""
    read = {*reading.setting, *reading.seeds}
    for name, spec in specs(StudyConfig).items():
        value = getattr(cfg, name)
        plain = not dataclasses.is_dataclass(value) and not isinstance(value, dict) and value not in (None, [])
        if spec.role in (Role.result, Role.seed) and plain and name not in read and name != "seed":
            yield name


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


def _cell_id(cfg: StudyConfig, reading: Reading, key: str) -> str:
    """Readable and unique within a study."""
    parts = [cfg.model.name, cfg.method.value]
    parts += [f"f{cfg.data_frac:g}"] if "data_frac" in reading.setting else []
    parts += [f"k{cfg.k}"] if "k" in reading.setting else []
    parts += ["u" + "+".join(cfg.union)] if reading.setting.get("union") else []
    return "_".join([*parts, f"s{cfg.seed}"]) + f"-{key[:8]}"


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
        require(task.config.get("numerics", current()))  # before a library is loaded
        folders = {role: tuple(_finished(store, *ref) for ref in refs) for role, refs in task.inputs.items()}
        context = StageContext(runtime=runtime, hints=task.hints, report=report)
        limit_threads(runtime.threads)
        function = STAGE_KINDS[task.kind].load()
        limit_threads(runtime.threads)  # again: loading the function may have imported torch
        stats = function(task.config, folders, out, context)
        device = resolve_device(runtime.device) if "torch" in sys.modules else "cpu"
        made = origin(device=device, threads=runtime.threads)
        return {"tokens": stats["tokens"], "flops": stats["flops"], "stats": stats, "origin": made}

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
