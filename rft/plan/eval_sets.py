"""Further test sets of a cell: what `eval.sets` names, as data configurations.

    sets = data_configs(["svamp", "mine"], changed={"mine": {"test_path": "mine.jsonl"}}, own=cfg.data, folders=folders)
    sets["svamp"].rule                 # as conf/data/svamp.yaml says

An entry is a file of `data/`, the project's or the user's own, with the keys that `+eval_sets.NAME.key=value` changes. A name
without a file is the cell's own data set but for these keys, which must say where its test problems are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rft.conf_path import choices, file_of
from rft.config import DataConfig, DataKind, ModelSource, Split, StudyConfig
from rft.plan.config_files import merged_file
from rft.registry import suggestion

Changes = Mapping[str, Any]  # keys of a data set, and what they are set to


def data_configs(
    names: Sequence[str], *, changed: Mapping[str, Changes], own: DataConfig, folders: Sequence[Path]
) -> dict[str, DataConfig]:
    """The data configuration of every named set but the cell's own. Raises ValueError for what is unknown or not named."""
    unnamed = sorted(set(changed) - set(names))
    if unnamed:
        raise ValueError(
            f"eval_sets.{unnamed[0]} is set, but eval.sets=[{','.join(names)}] does not name it"
            + suggestion(unnamed[0], list(names))
        )
    if own.name in changed:
        raise ValueError(f"eval_sets.{own.name}: that is the cell's own data set; set data.* instead")
    known = choices("data", folders)
    others = [name for name in dict.fromkeys(names) if name != own.name]
    for name in others:
        file_of("data", name, folders)  # refuses what would not be read
    return {name: _data_config(name, changed.get(name, {}), own=own, known=known) for name in others}


def _data_config(name: str, changed: Changes, *, own: DataConfig, known: Mapping[str, Path]) -> DataConfig:
    if name not in known and not {"test_path", "world"} & set(changed):
        raise ValueError(
            f"eval.sets names {name!r}, which is no data configuration{suggestion(name, list(known))}; known are "
            f"{', '.join(sorted(known))}. Files of your own lie in DIR/data/NAME.yaml and are found with --config-dir DIR; "
            f"or give its problems, the rest as in data={own.name}: +eval_sets.{name}.test_path=FILE"
        )
    try:
        base = (
            merged_file(name, group="data", known=known)
            if name in known
            else _like(own, from_file="test_path" in changed)
        )
        merged = OmegaConf.merge(OmegaConf.structured(DataConfig), base, dict(changed), {"name": name})
        data = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise ValueError(f"eval_sets.{name}: {str(error).splitlines()[0]}") from error
    assert isinstance(data, DataConfig)
    return data


def _like(own: DataConfig, *, from_file: bool) -> DictConfig:
    """The cell's own data set, all of the other's test problems."""
    like = dataclasses.replace(own, num_test=None, eval_problems=None, test_limit=None) if from_file else own
    if from_file:
        like = dataclasses.replace(like, kind=DataKind.jsonl, world=None)
    structured = OmegaConf.structured(like)
    assert isinstance(structured, DictConfig)
    return structured


def set_problems(cfg: StudyConfig) -> Iterator[str]:
    """Settings of further test sets that cannot work."""
    if not cfg.eval_sets:
        return
    if len(set(cfg.eval.sets)) != len(cfg.eval.sets):
        yield f"eval.sets={cfg.eval.sets} names a set twice: list each once"
    if cfg.eval.split is Split.validation:
        yield (
            "eval.sets are test sets, and eval.split=validation is for choices, which may see none: set eval.sets=[], or "
            "score eval.split=test"
        )
    for name, data in cfg.eval_sets.items():
        if data.kind is not DataKind.world and cfg.model.source is ModelSource.pretrain:
            yield (
                f"eval.sets names {name}, a set of files, but model={cfg.model.name} is pretrained on the embedded world, "
                "whose words alone it reads: choose an imported model, or a set of the world "
                f"(+eval_sets.{name}.world.max_steps=4)"
            )
        if data.kind is DataKind.world and data.world is None:
            yield f"eval.sets names {name}, whose kind is world, but eval_sets.{name}.world is not set"
