"""The composed configuration as dataclasses: the one step from Hydra's DictConfig to typed settings.

    config = to_study_config(cfg)       # ValueError names what is off
    config.donors["nano-m"]             # the configuration of a union's model
    config.eval_sets["svamp"]           # the data configuration of a further test set

In a module of its own: what stands in `rft.run` is `__main__` on the command line, and launchers cannot pickle that.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from rft.conf_path import choices, conf_folder, file_of
from rft.config import ModelConfig, ModelSource, PoolConfig, ServerConfig, StudyConfig
from rft.core.sampling.engines import AUTO, ENGINES
from rft.plan.config_files import merged_file
from rft.plan.eval_sets import data_configs
from rft.plan.method import METHODS
from rft.plan.own_model import own_model
from rft.plan.recipes import Origins, origins_of, recipe_in_force
from rft.plan.servers import OPENAI
from rft.plan.validate import validate
from rft.registry import load_plugins
from rft.text.answers import RULES
from rft.text.choosing import CHOOSERS, POLICY
from rft.text.prompts import own_template
from rft.text.templates import Template

Part = TypeVar("Part")
OF_MODEL = "model."  # keys of the model
SCHEMA = "study_schema"  # conf/config.yaml starts from it


def store_schema(plugins: Sequence[str] = ()) -> None:
    """Tell Hydra what a configuration may hold, the options of all methods included; plug-ins are loaded first."""
    load_plugins(plugins)
    schema = OmegaConf.structured(StudyConfig)
    with open_dict(schema):
        schema.methods = {name: OmegaConf.structured(kind) for name, kind in method_options().items()}
        schema.plugins = list(plugins)
    ConfigStore.instance().store(name=SCHEMA, node=schema)


def method_options() -> dict[str, type]:
    """The options of each method that has some."""
    return {name: kind.options for name, kind in METHODS.items() if kind.options is not None}


def named_choices() -> dict[str, list[str]]:
    """Keys whose values name things that register themselves, with the names."""
    return {
        "method": list(METHODS),
        "sampling.engine": [AUTO, *ENGINES, OPENAI],
        "data.rule": list(RULES),
        "select.choose": [POLICY, *CHOOSERS],
    }


store_schema()


def to_study_config(cfg: DictConfig) -> StudyConfig:
    """The composed configuration as dataclasses, donors of a union included. Raises ValueError naming what is off."""
    folders = composed_from(cfg)
    for group, name in _choices_made(cfg).items():
        file_of(group, name, folders)  # refuses what would not be read
    # typed already by the schema that conf/config.yaml starts from; Hydra's own part stays behind
    parts = {f.name: _value(cfg, f.name) for f in dataclasses.fields(StudyConfig) if f.name != "model"}
    config = StudyConfig(model=_model(cfg.model, name=_chosen_model(cfg)), **parts)
    by_path = config.model.path is not None and config.model.source is ModelSource.pretrain
    known = choices("model", folders) if config.union or by_path else {}
    if by_path:
        config.model = _by_path(cfg, config.model, known)
    for name in config.models_of_union:
        file_of("model", name, folders)
        config.donors[name] = config.model if name == config.model.name else _model_config(name, known)
    origins = origins_of(_job(cfg), folders)
    config.pools = {
        name: _part(PoolConfig, f"pools.{name}", given, {"path": "FILE"}) for name, given in config.pools.items()
    }
    needed = {"base_url": "URL", "model": "ID"}
    config.servers = {n: _part(ServerConfig, f"servers.{n}", given, needed) for n, given in config.servers.items()}
    config.eval_sets = data_configs(config.eval.sets, changed=config.eval_sets, own=config.data, folders=folders)
    config.prompts = _own_prompts(config, folders)
    _work_in_recipes(config, origins)
    validate(config)
    return config


def _job(cfg: DictConfig) -> Any:
    """What Hydra knows of the job; None outside of one."""
    return cfg.hydra if "hydra" in cfg else HydraConfig.get() if HydraConfig.initialized() else None


def _work_in_recipes(config: StudyConfig, origins: Origins) -> None:
    """The recipe in force for the cell's model, and of each donor that has another one."""
    composed, data, own = config.train, config.data, config.model
    tuned = [name for name, values in vars(config.tune.train).items() if values]
    found = recipe_in_force(composed, model=own, data=data, origins=origins, rate_from=origins.own_rate, tuned=tuned)
    config.train = found.train
    for name, donor in config.donors.items():
        if name != own.name:
            theirs = recipe_in_force(composed, model=donor, data=data, origins=origins, tuned=tuned)
            config.donors[name] = dataclasses.replace(donor, recipes={}, recipe=list(theirs.lines))
            config.donor_train |= {name: theirs.train} if theirs.train != found.train else {}
    config.model = dataclasses.replace(own, recipes={}, recipe=list(found.lines))
    config.donors |= {own.name: config.model} if own.name in config.donors else {}
    config.data = dataclasses.replace(data, recipe={})
    config.eval_sets = {name: dataclasses.replace(one, recipe={}) for name, one in config.eval_sets.items()}


def composed_from(cfg: DictConfig) -> list[Path]:
    """The folders that Hydra composed `cfg` from, the user's own (`--config-dir`) among them, in the order of search."""
    if "hydra" in cfg:  # as a launcher sees it, before any job runs
        sources = cfg.hydra.runtime.config_sources
    elif HydraConfig.initialized():
        sources = HydraConfig.get().runtime.config_sources
    else:
        return [conf_folder()]
    return [Path(source.path) for source in sources if source.schema == "file"]


def _own_prompts(config: StudyConfig, folders: Sequence[Path]) -> dict[str, Template]:
    """The templates of a user's files that the configuration names."""
    sets = {f"eval_sets.{name}.prompt": data.prompt for name, data in config.eval_sets.items()}
    donors = {f"model.prompt of {name}": model.prompt for name, model in config.donors.items() if model.prompt}
    served = {f"servers.{name}.prompt": server.prompt for name, server in config.servers.items()}
    named = {"data.prompt": config.data.prompt, "model.prompt": config.model.prompt, **sets, **donors, **served}
    found: dict[str, Template] = {}
    for key, name in named.items():
        try:
            own = own_template(name, folders) if name is not None else None
        except ValueError as error:
            raise ValueError(f"{key}={error}") from None
        if own is not None:
            found[own.name] = own
    return found


def _by_path(cfg: DictConfig, composed: ModelConfig, known: Mapping[str, Path]) -> ModelConfig:
    """The model of `model.path` alone; it was composed on top of a file that is not its own."""
    job = _job(cfg)
    name = _chosen_model(cfg)
    keys = [text.partition("=")[0].lstrip("+") for text in job.overrides.task]
    given = [key.removeprefix(OF_MODEL) for key in keys if key.startswith(OF_MODEL) and key.count(".") == 1]
    file = _load_model(name, known) if name in known else None
    return own_model(composed, file=file, given=given)


def _chosen_model(cfg: DictConfig) -> str:
    """The file of `model/` that a job was composed with."""
    return _choices_made(cfg).get("model", "")


def _choices_made(cfg: DictConfig) -> dict[str, str]:
    """The files that a job was composed with, by group."""
    job = _job(cfg)
    return {} if job is None else {str(group): str(name) for group, name in job.runtime.choices.items()}


def _value(cfg: DictConfig, name: str) -> Any:
    value = cfg[name]
    return OmegaConf.to_object(value) if OmegaConf.is_config(value) else value


def _model_config(name: str, known: Mapping[str, Path]) -> ModelConfig:
    if name not in known:
        raise ValueError(
            f"union names the unknown model {name!r}; known are {', '.join(sorted(known))}. Files of your own lie in "
            "DIR/model/NAME.yaml and are found with --config-dir DIR"
        )
    return copy.deepcopy(_load_model(name, known))


def _part(kind: type[Part], key: str, given: Any, needed: Mapping[str, str]) -> Part:
    """One entry of `pools` or `servers`, as its class; `needed`: keys that must be there. Raises ValueError naming them."""
    known = [field.name for field in dataclasses.fields(cast(Any, kind))]
    if not isinstance(given, dict) or not set(needed) <= given.keys() <= set(known):
        asked = " ".join(f"+{key}.{name}={what}" for name, what in needed.items())
        got = sorted(given) if isinstance(given, dict) else given
        raise ValueError(f"{key} has {got}: give {asked}; its keys are {', '.join(known)}")
    try:
        part = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), given))
    except OmegaConfBaseException as error:
        raise ValueError(f"{key}: {str(error).splitlines()[0]}") from None
    assert isinstance(part, kind)
    return part


def _load_model(name: str, known: Mapping[str, Path]) -> ModelConfig:
    return _loaded(name, tuple(known.items()))


@functools.cache
def _loaded(name: str, known: tuple[tuple[str, Path], ...]) -> ModelConfig:
    merged = OmegaConf.merge(OmegaConf.structured(ModelConfig), merged_file(name, group="model", known=dict(known)))
    assert isinstance(merged, DictConfig)
    return _model(merged, name=name)


def _model(node: DictConfig, *, name: str) -> ModelConfig:
    """A model as its file says; of a file with a path, what it leaves out is read from the model in that path."""
    lacking = {f.name for f in dataclasses.fields(ModelConfig) if OmegaConf.is_missing(node, f.name)}
    if lacking and node.path is None:
        raise ValueError(
            f"model={name}: its file gives neither {', '.join(sorted(lacking))} nor a path: give `path: FOLDER` (or a hub "
            "id) of a model that is there, from which the rest is read; what a model that is made here needs is in "
            "conf/model/nano-xs.yaml"
        )
    # each but the name is replaced by what the model's folder says
    unread = {"name": name, "family": name, "source": ModelSource.imported, "lr": 1.0}
    model = OmegaConf.to_object(OmegaConf.merge(node, {key: unread[key] for key in lacking}))
    assert isinstance(model, ModelConfig)
    return own_model(model, file=None, given={*_set(model) - lacking, "name"}) if lacking else model


def _set(model: ModelConfig) -> set[str]:
    """Fields with another value than where nothing is said of them."""
    empty = ModelConfig(name="", family="", source=ModelSource.pretrain, lr=0.0)
    return {f.name for f in dataclasses.fields(ModelConfig) if getattr(model, f.name) != getattr(empty, f.name)}
