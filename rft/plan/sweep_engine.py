"""One engine for all models of a sweep: what `sampling.engine=auto` stands for in each of its jobs.

    jobs = with_one_engine(jobs)        # of configurations; those that name an engine keep it

The engine is part of a cell's setting. Were it chosen for each model alone, one model that the fast engine cannot serve would
have another setting than all others. So where the choices for the models differ, all take torch, which serves every model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rft.config import ModelConfig, StudyConfig
from rft.core.sampling.engines import AUTO, REFERENCE
from rft.plan.sources import choice_of


def with_one_engine(jobs: Sequence[StudyConfig]) -> list[StudyConfig]:
    """The configurations with the engine of the whole sweep in `plan.engine`, where one model has another choice."""
    engine = shared_engine(jobs)
    if engine is None:
        return list(jobs)
    plans = {id(cfg.plan): replace(cfg.plan, engine=engine) for cfg in jobs}  # jobs that shared one go on sharing
    return [cfg.with_values(plan=plans[id(cfg.plan)]) for cfg in jobs]


def shared_engine(jobs: Sequence[StudyConfig]) -> str | None:
    """The engine that serves every model of the jobs that leave the choice open; None where each choice is that one."""
    chosen: dict[tuple[int, str], str] = {}  # by model and device: jobs of a sweep share the objects of their models
    for cfg in jobs:
        if cfg.sampling.engine == AUTO:
            for model in _models(cfg):
                place = id(model), cfg.runtime.device
                if place not in chosen:
                    chosen[place] = choice_of(cfg, model).engine
    return REFERENCE if len(set(chosen.values())) > 1 else None


def _models(cfg: StudyConfig) -> Iterator[ModelConfig]:
    yield cfg.model
    yield from (cfg.donors[name] for name in cfg.models_of_union)
