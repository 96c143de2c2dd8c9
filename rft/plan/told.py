"""What a plan says in words of a cell's models: where they are from, which engine samples from them, what was inferred.

for line in told(cfg, sources):        # cfg as filled in, sources as resolved
    print(line)
# model tiny-neox: imported from runs/tiny-neox (F32), family gpt_neox, lr 2e-05, engine torch
#   inferred: family gpt_neox: model_type of config.json
#   recipe, the train file paper: epochs 3, batch_size 128, lr 2e-05, ...
#   recipe, set aside: lr 0.003 of the model file tiny-neox (the train file paper says 2e-05)
#   sampling.engine=auto passed over ctranslate2: CTranslate2's converter cannot read ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rft.config import ModelConfig, ModelSource, ServerConfig, StudyConfig
from rft.plan.sources import Sources


def told(cfg: StudyConfig, sources: Sources) -> Iterator[str]:
    """Lines on the cell's model, then on its donors, the pools that were drawn elsewhere, the servers, and further
    test sets."""
    donors = [cfg.donors[name] for name in cfg.models_of_union if name != cfg.model.name]
    for model in (cfg.model, *donors):
        yield (
            f"model {model.name}: {_origin(model, sources)}, family {model.family}, {_rate(cfg, model)}, "
            f"engine {sources.engines[model.name]}"
        )
        if model.source is ModelSource.imported and not model.num_params:
            yield f"  model.num_params is not known: FLOPs, disk and time of {model.name} count as 0 in this plan"
        yield from (f"  inferred: {text}" for text in _inferred(cfg, model))
        yield from (f"  recipe, {text}" for text in model.recipe)
        yield from _tuned(cfg)
        for engine, reason in sources.passed.get(model.name, ()):
            yield f"  sampling.engine={cfg.sampling.engine} passed over {engine}: {reason}"
    yield from _of_one_base([cfg.donors[name] for name in cfg.models_of_union], sources)
    for name in cfg.union:
        if name in cfg.pools:
            source = sources.pools[name]
            ids = (
                f", joined by {' and '.join(map(repr, source.columns))} of the training rows" if source.columns else ""
            )
            yield f"pool {name}: drawn elsewhere, {cfg.pools[name].path} ({source.content[:8]}){ids}"
        if name in cfg.servers:
            yield _server(name, cfg.servers[name])
    for name, one in sources.sets.items():
        if one.no_copy:
            yield f"test set {name}: eval.perturbed_seed is left out of it: {one.no_copy}"


def _of_one_base(donors: Sequence[ModelConfig], sources: Sources) -> Iterator[str]:
    """On donors whose random numbers are one stream (`rft.plan.sampling.Sampling.random_stream`)."""
    for place, one in enumerate(donors):
        alike = [other.name for other in donors[:place] if _base(other, sources) == _base(one, sources)]
        if alike:
            yield (
                f"{' and '.join([*alike, one.name])} are one base: they draw with the same random numbers, and so more "
                "alike than two models"
            )


def _base(model: ModelConfig, sources: Sources) -> Any:
    imported = model.source is ModelSource.imported
    return sources.models[model.name].digest if imported else (model.arch, model.pretrain)


def _server(name: str, server: ServerConfig) -> str:
    what = f"weights {server.weights}" if server.weights else "known by its address"
    seeds = "a seed a request" if server.seeds else "no seeds"
    where = f"{server.model} at {server.base_url} ({server.kind.value})"
    return f"server {name}: {where}, {what}, prompt {server.prompt}, {seeds}"


def _rate(cfg: StudyConfig, model: ModelConfig) -> str:
    return "lr chosen on validation" if cfg.tune.train.lr else f"lr {model.lr:g}"


def _inferred(cfg: StudyConfig, model: ModelConfig) -> Iterator[str]:
    """Without a rate that is tuned: no training takes it."""
    return (text for text in model.inferred if not (cfg.tune.train.lr and text.startswith("lr ")))


def _tuned(cfg: StudyConfig) -> Iterator[str]:
    grid = {"lr": cfg.tune.train.lr, "epochs": cfg.tune.train.epochs}
    tried = [f"{name} of {', '.join(f'{value:g}' for value in values)}" for name, values in grid.items() if values]
    if tried:
        yield f"  recipe, chosen on validation per {cfg.tune.per.value}: {'; '.join(tried)}"


def _origin(model: ModelConfig, sources: Sources) -> str:
    if model.source is ModelSource.pretrain:
        return "pretrained here"
    identity = sources.models[model.name]
    return f"imported from {identity.path}" + (f" ({identity.dtype})" if identity.dtype else "")
