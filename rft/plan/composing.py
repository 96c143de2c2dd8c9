"""A configuration composed outside of Hydra's command line: from overrides, or again from what a record says.

    cfg = to_study_config(composed(["model=nano-xs", "method=sft"]))
    composed(overrides_of(record))         # the configuration that the record's cell was planned with, as far as it is known

A record holds every value that its cell rests on, by dotted path, but no place of a file: those are taken from the command
that wrote it. Whether the result is the cell is told by its key.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from rft.conf_path import conf_folder, search_folders
from rft.config.fields import Role, leaves
from rft.records import Record


def composed(overrides: Sequence[str], *, config_dir: Path | str | None = None) -> Any:
    """The configuration as Hydra composes it, its own part included: that says where the files were found.

    Raises ValueError for a word that is misspelt.
    """
    from hydra import compose, initialize_config_dir

    from rft.config.overrides import check_overrides, named_plugins
    from rft.plan.typed import method_options, named_choices, store_schema

    search = [] if config_dir is None else [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"]
    store_schema(named_plugins(overrides))
    folders = search_folders([*search, *overrides])
    problem = check_overrides(overrides, folders=folders, choices=named_choices(), options=method_options())
    if problem is not None:
        raise ValueError(problem)
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        return compose("config", overrides=[*search, *overrides], return_hydra_config=True)


BESIDE = (Role.place, Role.name, Role.fact)  # of a configuration's fields: what is no part of a setting
NOT_FROM_A_RECORD = frozenset({"plugins"})  # modules to import: who checks a record names them, never the record


def overrides_of(record: Record, *, config_dir: Path | None = None) -> list[str]:
    """The words that compose a record's cell again, with the user's own files if it was composed from some."""
    from rft.plan.typed import to_study_config

    start = [*(f"{group}={record.names[group]}" for group in ("model", "data")), f"study_name={record.study}"]
    places = list(_places(record))
    parts = {
        leaf.path: leaf.spec.role
        for leaf in leaves(to_study_config(composed([*start, *places], config_dir=config_dir)))
    }
    given = {**record.setting, **record.seeds}
    words = [f"{key}={_word(value)}" for key, value in given.items() if key in parts and key not in NOT_FROM_A_RECORD]
    return [*start, *words, *places]


def overrides_of_sets(record: Record) -> list[str]:
    """The words that add its further test sets; of several with one name the first."""
    from rft.config import DataConfig
    from rft.config.fields import specs

    sets, known = {one.name: one for one in reversed(record.sets)}, set(specs(DataConfig))
    words = [f"eval.sets=[{','.join(sets)}]"]
    for name, one in sets.items():
        given = {key.removeprefix("data."): value for key, value in one.setting.items()}
        words += [
            f"+eval_sets.{name}.{key}={_word(value)}" for key, value in given.items() if key.split(".")[0] in known
        ]
    return [*words, *(f"+{word}" for word in _said(record, {f"eval_sets.{name}.test_path" for name in sets}))]


def _places(record: Record) -> Iterator[str]:
    """Words of its command that say where files lie, and what people call or know of a model: they are in no setting."""
    from rft.config import DataConfig, ModelConfig
    from rft.config.fields import specs

    parts = {"data": DataConfig, "model": ModelConfig}
    known = {f"{of}.{name}" for of, kind in parts.items() for name, spec in specs(kind).items() if spec.role in BESIDE}
    yield from _said(record, known - {f"{of}.name" for of in parts})


def _said(record: Record, known: Collection[str]) -> Iterator[str]:
    """Words of its command for these keys; of several values none is known to be this cell's."""
    for word in record.provenance.get("command", ()):
        key, equals, value = str(word).lstrip("+").partition("=")
        if equals and key in known and "," not in value and "${" not in value:
            yield f"{key}={value}"


def _word(value: Any) -> str:
    """A value as Hydra reads it: JSON, which its grammar takes but for quotes of a text."""
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else _quoted(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
