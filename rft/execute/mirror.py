"""The runs of a sweep in W&B: one for each stage that says what it does, one for each pool of shards, one for each cell, and
one for the sweep itself.

    with mirror_of(cfg, cells, hits=hits, store=store, study=study) as mirror:      # a process beside the computing
        ...

A stage's run has the settings in which all cells that rest on it agree, so that it can be grouped by any of them; a cell's
run names the runs that it rests on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rft.config import StudyConfig
from rft.infra.live import LIVE_FOLDER, SWEEP_FILE, Tail, live_name
from rft.infra.masking import mask_text
from rft.infra.mirror_results import flat_config
from rft.infra.stage_store import StageStore
from rft.infra.study import Study
from rft.infra.tracking import Mirror, RunPlan, TrackingSettings, stable_run_id
from rft.plan.cell import CellPlan
from rft.records import CURVE_FILE
from rft.stages.evaluate import Evaluate
from rft.stages.shard import DrawnShard
from rft.stages.stage import Stage
from rft.stages.weights import Weights


def mirror_of(
    cfg: StudyConfig, cells: Sequence[CellPlan], *, hits: Mapping[str, bool], store: StageStore, study: Study
) -> Mirror:
    """The mirror of a sweep over these cells; `hits`: its stages by key, and whether they were found finished."""
    tracking = cfg.tracking
    settings = TrackingSettings(
        mode=tracking.mode,
        project=tracking.project,
        entity=tracking.entity,
        tags=(*map(mask_text, tracking.tags), study.name),
        group=study.group(),
        folder=study.folder,
        finish_s=tracking.finish_s,
        max_samples=tracking.max_samples,
        figures=tracking.figures,
        workspace=tracking.workspace,
    )
    plans = [] if tracking.mode == "disabled" else run_plans(cells, hits=hits, store=store, study=study)
    return Mirror(settings, plans)


def run_plans(cells: Sequence[CellPlan], *, hits: Mapping[str, bool], store: StageStore, study: Study) -> list[RunPlan]:
    """All runs of a sweep: itself, stages, cells."""
    users: dict[str, list[CellPlan]] = {}  # by the name of a stage's run
    members: dict[str, dict[str, Stage[Any]]] = {}
    for cell in cells:
        for stage in cell.stages:
            name = _run_of(stage)
            if name is not None:
                members.setdefault(name, {})[stage.key] = stage
                if not users.setdefault(name, []) or users[name][-1] is not cell:
                    users[name].append(cell)
    ids = {name: stable_run_id(study.name, name) for name in members}
    sweep = RunPlan(
        run_id=stable_run_id(study.name, "sweep"),
        name=f"sweep {study.name}",
        job_type="sweep",
        config={"study": study.name},
        files=(SWEEP_FILE,),
    )
    stages = {
        name: _stage_plan(ids[name], list(own.values()), users[name], hits=hits, store=store, study=study)
        for name, own in members.items()
    }
    shown: dict[str | None, str] = {
        name: ids[name] for name, one in stages.items() if one is not None and one.job_type != Evaluate.kind
    }
    return [
        sweep,
        *(one for one in stages.values() if one is not None),
        *(_cell_plan(one, shown, study) for one in cells),
    ]


def _run_of(stage: Stage[Any]) -> str | None:
    """What names the run that shows a stage: its kind and key, or its pool's for a shard; None where it says nothing."""
    if isinstance(stage, DrawnShard):
        return f"pool-{stage.key_without('block', 'draws')}"
    return f"{stage.kind}-{stage.key}" if isinstance(stage, Weights | Evaluate) else None


def _stage_plan(
    run_id: str,
    own: Sequence[Stage[Any]],
    users: Sequence[CellPlan],
    *,
    hits: Mapping[str, bool],
    store: StageStore,
    study: Study,
) -> RunPlan | None:
    """The run of a stage, or of a pool's shards; None where nothing is computed and nothing was told before.

    A pool goes on where earlier sweeps into the study left it: what their shards said counts too, and cells that a later
    sweep finishes name its run. A training tells by its curve.
    """
    first = own[0]
    computed = {stage.key for stage in own if not hits.get(stage.key, False)}
    is_trained = isinstance(first, Weights)
    curve = store.folder(first.kind, first.key) / CURVE_FILE if is_trained else None
    pool = isinstance(first, DrawnShard)
    told = [stage for stage in own if stage.key in computed or (pool and _was_told(stage, study))]
    if not told and not (curve is not None and curve.is_file()):
        return None
    return RunPlan(
        run_id=run_id,
        name=f"sample {first.model}" if pool else first.label,
        job_type="sample" if pool else first.kind,
        config={**agreed(users), "stage.kind": first.kind, "stage.model": first.model},
        files=tuple(live_name(stage.kind, stage.key) for stage in told),
        curve=curve,
    )


def _was_told(stage: Stage[Any], study: Study) -> bool:
    """Whether an earlier sweep into the study computed the stage, and said so to its end."""
    rows = Tail(study.folder / LIVE_FOLDER / live_name(stage.kind, stage.key)).fresh()
    return bool(rows) and rows[-1].get("event") == "done"


def _cell_plan(cell: CellPlan, ids: Mapping[str | None, str], study: Study) -> RunPlan:
    named = {stage.label: _run_of(stage) for stage in cell.stages if not isinstance(stage, DrawnShard)}
    pools = {f"sample {stage.model}": _run_of(stage) for stage in cell.stages if isinstance(stage, DrawnShard)}
    links = {label: ids[name] for label, name in {**named, **pools}.items() if name in ids}
    return RunPlan(
        run_id=stable_run_id(study.name, cell.cell_id),
        name=cell.cell_id,
        job_type="cell",
        config={**flat_settings(cell), "cell_key": cell.cell_key, "links": links},
        files=tuple(live_name(stage.kind, stage.key) for stage in cell.own_stages),
        cell=study.path_of(cell.cell_id).absolute(),
        links=links,
    )


def flat_settings(cell: CellPlan) -> dict[str, Any]:
    """All that a cell was set to, by dotted key, with what people call its model, data and method."""
    flat = flat_config({**cell.names, **cell.setting, **cell.seeds})
    return {key: mask_text(v) if isinstance(v, str) else v for key, v in flat.items()}


def agreed(cells: Sequence[CellPlan]) -> dict[str, Any]:
    """The settings that all cells share, by dotted key."""
    first, *others = (flat_settings(cell) for cell in cells)
    return {key: v for key, v in first.items() if all(key in one and one[key] == v for one in others)}
