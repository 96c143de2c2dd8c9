"""What a plan says in words of a cell's models: where they are from, which engine samples from them, what was inferred.

for line in told(cfg, sources):        # cfg as filled in, sources as resolved
    print(line)
# model tiny-neox: imported from runs/tiny-neox (F32), family gpt_neox, lr 2e-05, engine torch
#   inferred: family gpt_neox: model_type of config.json
#   sampling.engine=auto passed over ctranslate2: CTranslate2's converter cannot read ...
"""

from __future__ import annotations

from collections.abc import Iterator

from rft.config import ModelConfig, ModelSource, StudyConfig
from rft.plan.sources import Sources


def told(cfg: StudyConfig, sources: Sources) -> Iterator[str]:
    """Lines on the cell's model, then on its donors and the pools that were drawn elsewhere."""
    donors = [cfg.donors[name] for name in cfg.union if name != cfg.model.name and name not in cfg.pools]
    for model in (cfg.model, *donors):
        yield (
            f"model {model.name}: {_origin(model, sources)}, family {model.family}, lr {model.lr:g}, "
            f"engine {sources.engines[model.name]}"
        )
        if model.source is ModelSource.imported and not model.num_params:
            yield f"  model.num_params is not known: FLOPs, disk and time of {model.name} count as 0 in this plan"
        yield from (f"  inferred: {text}" for text in model.inferred)
        for engine, reason in sources.passed.get(model.name, ()):
            yield f"  sampling.engine={cfg.sampling.engine} passed over {engine}: {reason}"
    for name in cfg.union:
        if name in cfg.pools:
            yield f"pool {name}: drawn elsewhere, {cfg.pools[name].path} ({sources.pools[name][:8]})"


def _origin(model: ModelConfig, sources: Sources) -> str:
    if model.source is ModelSource.pretrain:
        return "pretrained here"
    identity = sources.models[model.name]
    return f"imported from {identity.path}" + (f" ({identity.dtype})" if identity.dtype else "")
