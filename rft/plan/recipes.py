"""The fine-tuning recipe in force for a model on a data set, and where each of its values is from.

    found = recipe_in_force(train, model=model, data=data, origins=origins)
    found.train.lr                     # 2e-05
    found.lines                        # ('the train file paper: epochs 3, lr 2e-05, ...', 'set aside: lr 0.003 of ...')

Who says it last wins: the command line, then a study's file, then a configuration of the user's own (`--config-name`), then
the model's file for this data set (`recipes.DATA`), then the data set's file (`recipe`), then the train file; a learning rate
that none of them gives is the model's own `lr`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rft.conf_path import file_of
from rft.config import DataConfig, ModelConfig, TrainConfig

RATE = "lr"  # a field of the recipe that the model has a value for
OF_TRAIN = "train."  # keys of the recipe
NO_RECIPE = frozenset(("train", "data", "model", "hydra"))  # groups whose files set none above all models' and data's
YAML = ".yaml"
QUOTES = " '\""
COMMAND_LINE = "the command line"
MODEL_RATE = "model.lr"


@dataclass(frozen=True)
class Origins:
    """Where the composed `train` is from."""

    given: Mapping[str, str] = field(default_factory=dict)  # field -> who sets it, above all files of models and data
    file: str = "the train file"
    data: str = ""  # the data file that was chosen: recipes are for it, whatever name the data set is given
    own_rate: str = ""  # who sets model.lr of the cell's model, where it is not its file


@dataclass(frozen=True)
class InForce:
    """A recipe and what a plan says of it."""

    train: TrainConfig
    lines: tuple[str, ...]


def recipe_in_force(
    train: TrainConfig,
    *,
    model: ModelConfig,
    data: DataConfig,
    origins: Origins,
    rate_from: str = "",
    tuned: Collection[str] = (),
) -> InForce:
    """The recipe of `model` on `data`; `train` as composed. Of values that are `tuned` nothing is said.

    Raises ValueError for a recipe with an unknown key or value.
    """
    of = origins.data or data.name
    layers = [
        (f"the data file {of} (data.recipe)", _checked(data.recipe, f"data.recipe of {of}")),
        (
            f"the model file {model.name} (model.recipes.{of})",
            _checked(model.recipes.get(of, {}), f"model.recipes.{of} of {model.name}"),
        ),
    ]
    values = {one.name: getattr(train, one.name) for one in dataclasses.fields(TrainConfig)}
    source = {name: origins.given.get(name, origins.file) for name in values}
    aside = []
    for words, layer in layers:
        for name, value in layer.items():
            if name in origins.given:
                aside += _aside(name, value, words, values[name], source[name])
            else:
                aside += _aside(name, values[name], source[name], value, words)
                values[name], source[name] = value, words
    of_model = rate_from or f"the model file {model.name}"
    found = TrainConfig(**values)
    if found.lr is None:
        values, source = values | {RATE: model.lr}, source | {RATE: of_model}
    else:
        aside += _aside(RATE, model.lr, of_model, found.lr, source[RATE])
    told = {name: value for name, value in values.items() if name not in tuned}
    aside = [text for text in aside if text.partition(" ")[0] not in tuned]
    return InForce(found, tuple(_lines(told, source, aside)))


def _aside(name: str, value: Any, of: str, instead: Any, by: str) -> list[str]:
    return [] if value is None or value == instead else [f"{name} {_text(value)} of {of} ({by} says {_text(instead)})"]


def _lines(values: Mapping[str, object], source: Mapping[str, str], aside: Sequence[str]) -> Iterator[str]:
    for words in dict.fromkeys(source.values()):
        said = [
            f"{name} {_text(values[name])}" for name in values if source[name] == words and values[name] is not None
        ]
        if said:
            yield f"{words}: {', '.join(said)}"
    if aside:
        yield f"set aside: {'; '.join(aside)}"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(getattr(value, "value", value))


def _checked(given: Any, where: str) -> dict[str, Any]:
    """Keys of `train` as typed values."""
    known = {one.name for one in dataclasses.fields(TrainConfig)}
    if not isinstance(given, Mapping) or not given.keys() <= known:
        raise ValueError(f"{where} is {given}: give keys of the recipe, which are {', '.join(sorted(known))}")
    try:
        merged = OmegaConf.merge(OmegaConf.structured(TrainConfig), dict(given))
        return {name: getattr(merged, name) for name in given}
    except OmegaConfBaseException as error:
        raise ValueError(f"{where}: {str(error).splitlines()[0]}") from None


def origins_of(job: DictConfig | None, folders: Sequence[Path]) -> Origins:
    """Where `train` is from, by what Hydra knows of the job (`hydra` of a composed configuration)."""
    if job is None:
        return Origins()
    chosen = job.runtime.choices
    words = dict(text.lstrip("+").partition("=")[::2] for text in job.overrides.task)
    primary = str(job.job.get("config_name") or "").removesuffix(YAML)
    given = dict.fromkeys(_keys_of_primary(primary, tuple(folders)), f"the configuration {primary}")
    # of several files of one group (`+study=[a,b]`) Hydra notes no choice
    lists = {key: value for key, value in words.items() if key not in chosen and value.startswith("[")}
    for group, name in {**chosen, **lists}.items():
        if group.partition("/")[0] not in NO_RECIPE:
            given |= dict.fromkeys(_keys_of(str(group), name, tuple(folders)), f"the {group} {name}")
    given |= {key.removeprefix(OF_TRAIN): COMMAND_LINE for key in words if key.startswith(OF_TRAIN)}
    own_rate = COMMAND_LINE if MODEL_RATE in words else ""
    return Origins(given, f"the train file {chosen.get('train')}", str(chosen.get("data") or ""), own_rate)


def _keys_of(group: str, chosen: Any, folders: tuple[Path, ...]) -> tuple[str, ...]:
    """Fields of `train` that the chosen file of a group sets, or one that it stands on; of several files each's."""
    names = str(chosen).strip("[]").split(",") if chosen is not None else []
    found = (_keys_in(f"{group}/{name.strip(QUOTES)}", folders) for name in names)
    return tuple(dict.fromkeys(key for keys in found for key in keys))


@functools.cache
def _keys_in(place: str, folders: tuple[Path, ...]) -> tuple[str, ...]:
    """Of the file at a place such as `study/quickstart`."""
    group, _, name = place.partition("/")
    own, defaults = _loaded(file_of(group, name, folders))
    below = (_keys_in(one, folders) for one in _defaults(defaults, group=place.rpartition("/")[0]))
    return tuple(dict.fromkeys([*own, *(key for keys in below for key in keys)]))


@functools.cache
def _keys_of_primary(name: str, folders: tuple[Path, ...]) -> tuple[str, ...]:
    """Of the configuration that a job starts from, or one that it stands on; files of groups are among the job's choices."""
    own, defaults = _loaded(next((path for one in folders if (path := one / f"{name}{YAML}").is_file()), None))
    plain = [one for one in defaults if isinstance(one, str)]
    places = (place.lstrip("/") for place in _defaults(plain, group=name.rpartition("/")[0]))
    below = (_keys_of_primary(place, folders) for place in places)
    return tuple(dict.fromkeys([*own, *(key for keys in below for key in keys)]))


def _loaded(path: Path | None) -> tuple[tuple[str, ...], Sequence[Any]]:
    """(fields of `train` that a file sets, its list of defaults)."""
    loaded = OmegaConf.load(path) if path is not None else None
    if not isinstance(loaded, DictConfig):
        return (), ()
    given = loaded.get("train")
    return tuple(map(str, given)) if isinstance(given, DictConfig) else (), loaded.get("defaults") or ()


def _defaults(listed: Sequence[Any], *, group: str) -> Iterator[str]:
    """Places of the files that a list of defaults names, as Hydra reads them: below the file's own group, or from the top."""
    for one in listed:
        entries = one.items() if isinstance(one, Mapping | DictConfig) else [("", one)]
        for words, names in entries:
            key = str(words).split()[-1].partition("@")[0] if words else ""  # `override /model`, `optional sub@package`
            for name in names if isinstance(names, Sequence) and not isinstance(names, str) else [names]:
                given = "/".join(filter(None, (key, str(name).partition("@")[0].removesuffix(YAML))))
                if given not in ("_self_", "None"):
                    yield given.lstrip("/") if given.startswith("/") else f"{group}/{given}"
