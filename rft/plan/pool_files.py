"""What planning looks up of a pool that was drawn elsewhere: its content, and whether it needs ids of the data files' own.

source = pool_source("teacher", cfg.pools["teacher"], cfg.data)
source.columns              # ("uid",): where the training file has the ids by which rows without a question are joined

Only a pool that has such rows rests on ids, so that naming a column of ids (`data.adapter.id`) changes nothing else. Where a
column is named, rows that have both are compared too, here and now: an id beside another question is an error.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rft.config import DataConfig, DataKind, PoolConfig
from rft.infra.digest import file_digest
from rft.infra.hub import HUB_PREFIX
from rft.plan.data_files import Stamp, data_path, stamp_of, training_problems
from rft.plan.reading_rows import read_as
from rft.text.foreign import OwnNames, join_draws
from rft.text.foreign_rows import parsed
from rft.text.gsm8k import ReadAs
from rft.text.own_ids import OBVIOUS, joined_ids, obvious_columns, own_ids
from rft.text.rows import numbered_rows
from rft.text.tables import placed_rows


@dataclass(frozen=True)
class PoolSource:
    """A pool's file."""

    content: str  # digest
    columns: tuple[str, ...] = ()  # of own ids, one of each training file; none where no row needs them
    no_ids: str = ""  # why such ids are not read


@dataclass(frozen=True)
class _File:
    """A training file."""

    path: str
    how: ReadAs
    column: str | None  # of ids, as the configuration names it


@dataclass(frozen=True)
class _Columns:
    """Where the training files have ids."""

    found: tuple[str, ...] = ()
    named: bool = False  # by the configuration; else they are called as ids are
    none: str = ""  # why there are none


def pool_source(name: str, pool: PoolConfig, data: DataConfig) -> PoolSource:
    """Raises ValueError for a missing file, for ids that are none, and for rows that the import would refuse."""
    path = Path(pool.path)
    if not path.is_file():
        raise ValueError(f"pools.{name}.path={pool.path}: no such file. Give a file of JSON lines, gzipped or not")
    content, files = file_digest(path), _files(data)
    columns = _columns(files)
    if not columns.found:
        return PoolSource(content, no_ids=columns.none)
    on_hub = any(file.path.startswith(HUB_PREFIX) for file in files)
    problems = [] if on_hub else training_problems(data)
    ids = frozenset(problem.id for problem in problems)
    needed = _needs_ids(str(path), stamp_of(str(path)), columns.found, ids)
    source = PoolSource(content, columns.found if needed else ())
    if on_hub or not (needed or columns.named):
        return source
    try:
        names = OwnNames(columns.found, _ids_of(files, columns.found))
    except ValueError as error:
        if columns.named:
            raise ValueError(f"data.adapter.id={', '.join(columns.found)}: {error}") from None
        return PoolSource(content, no_ids=f"{error} (name another column with data.adapter.id)")
    join_draws(numbered_rows(path), problems, name=pool.path, seed=pool.order_seed, own=names)
    return source


def _files(data: DataConfig) -> list[_File]:
    """Each training file."""
    if data.kind is DataKind.world:
        return []
    if not data.train_mix:
        return [_File(data_path(data.train_path, "train"), read_as(data, split="train"), data.adapter.id)]
    return [
        _File(data_path(one.path, "train"), read_as(data, split="train", part=one), one.adapter.id or data.adapter.id)
        for one in data.train_mix
    ]


def _columns(files: Sequence[_File]) -> _Columns:
    """As named; else the one column of each file that is called as ids are."""
    if not files:
        return _Columns(none="the embedded world's problems have none")
    named = tuple(file.column for file in files if file.column is not None)
    if named:
        none = "" if len(named) == len(files) else "data.train_mix: name adapter.id of each file, or of none"
        return _Columns(() if none else named, named=True, none=none)
    found: list[str] = []
    for file in files:
        if file.path.startswith(HUB_PREFIX):
            return _Columns(none=f"{file.path} is planned before it is fetched: name its column with data.adapter.id")
        called = obvious_columns(next(placed_rows(file.path))[1])
        if len(called) != 1:
            what = f"has {' and '.join(called)}" if called else f"has no column of ids ({', '.join(OBVIOUS)})"
            return _Columns(none=f"{file.path} {what}: name one with data.adapter.id")
        found += called
    return _Columns(tuple(found))


def _ids_of(files: Sequence[_File], columns: Sequence[str]) -> dict[str, str]:
    named = {}
    for place, (file, column) in enumerate(zip(files, columns, strict=True), start=1):
        named[f"{place}. {file.path}"] = _own_ids(file.path, stamp_of(file.path), file.how, column)
    return joined_ids(named)


@functools.lru_cache(maxsize=64)
def _needs_ids(path: str, stamp: Stamp, columns: tuple[str, ...], ids: frozenset[str]) -> bool:  # noqa: ARG001
    """Whether a row has no question, and no id that is this project's."""
    rows = (parsed(row, where=f"{path}: line {line}", own=columns) for line, row in numbered_rows(path))
    return any(row.question is None and row.names and ids.isdisjoint(row.names) for row in rows)


@functools.lru_cache(maxsize=64)
def _own_ids(path: str, stamp: Stamp, how: ReadAs, column: str) -> dict[str, str]:  # noqa: ARG001
    return own_ids(placed_rows(path), how, name=path, column=column)
