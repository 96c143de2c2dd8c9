"""What planning looks up of data files: where they lie, what is in them, how many problems, and that none is in the test set.

path = data_path(cfg.data.train_path, "train")        # a file, or a pattern of several
num_problems(cfg.data, path, split="train")
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, replace
from pathlib import Path

from rft.config import DataConfig, MixPartConfig, OnFault
from rft.infra.digest import files_digest
from rft.infra.hub import HUB_PREFIX, parse
from rft.plan.reading_rows import read_as
from rft.records import Problem
from rft.text.gsm8k import RELEASES, ReadAs, Reading, read_file
from rft.text.mixture import mixed
from rft.text.overlap import Asked, grouped_otherwise, refuse_overlap
from rft.text.perturb import why_no_copy
from rft.text.tables import ENDINGS, files_behind

REPOSITORY = Path(__file__).resolve().parent.parent.parent
GSM8K_HUB_ID = "hub:openai/gsm8k"  # all its configs and revisions have the published numbers of rows


Stamp = tuple[tuple[str, int, int], ...]  # of each file: name, time, size


@dataclass(frozen=True)
class SetSource:
    """Where the problems of a further test set come from."""

    content: str | None  # digest; None for the embedded world
    path: str
    num: int  # of problems
    no_copy: str = ""  # why eval.perturbed_seed is left out of it: no problem has a copy


def mix(data: DataConfig) -> tuple[SetSource, ...]:
    """The training files of a mixture, looked up."""
    paths = [data_path(part.path, "train") for part in data.train_mix]
    return tuple(SetSource(content_of(path, "train"), path, 0) for path in paths)


def num_mixed(data: DataConfig) -> int:
    """Problems of a mixture, as its stage will find them."""
    return len(_mixed(data).problems)


def _mixed(data: DataConfig) -> Reading:
    """The training problems of a mixture, as its stage will find them."""
    paths = [data_path(part.path, "train") for part in data.train_mix]
    found = [_part(data, path, part).problems for path, part in zip(paths, data.train_mix, strict=True)]
    named = {f"{place}. {path}": one for place, (path, one) in enumerate(zip(paths, found, strict=True), 1)}
    weights = [part.weight for part in data.train_mix if part.weight is not None]
    return mixed(named, weights=weights, drop_duplicates=data.on_duplicate.value == "drop")


def _part(data: DataConfig, path: str, part: MixPartConfig) -> Reading:
    how = replace(read_as(data, split="train", part=part), rule=data.rule)
    return _problems(path, stamp_of(path), how)


def regrouped(data: DataConfig, path: str, *, split: str) -> bool:
    """Whether other rows of a file are one problem than before (rft.text.overlap); of the hub GSM8K alone is known."""
    if path.startswith(HUB_PREFIX):
        return parse(path)[0] != parse(GSM8K_HUB_ID)[0]
    return _regrouped(path, stamp_of(path), _usable(data, split=split))


def mix_regrouped(data: DataConfig) -> tuple[list[bool], bool]:
    """The same of each file of a mixture, and of the files with each other."""
    found = [_part(data, data_path(part.path, "train"), part).asked for part in data.train_mix]
    return [grouped_otherwise(asked) for asked in found], grouped_otherwise(_mixed(data).asked)


def data_path(given: str | None, split: str) -> str:
    """The file of a split: as given, or GSM8K from $GSM8K_DIR, else ../shared/gsm8k, else the hub."""
    if given is None:
        raise ValueError(f"data.{split}_path is not set: give a JSONL file, a folder with {split}.jsonl, or hub:<id>")
    if given == GSM8K_HUB_ID:
        for folder in (os.environ.get("GSM8K_DIR"), REPOSITORY.parent / "shared" / "gsm8k"):
            if folder and (Path(folder) / f"{split}.jsonl").is_file():
                return str(Path(folder) / f"{split}.jsonl")
    if given.startswith(HUB_PREFIX):
        _refuse_folder(given, split)
        return given
    path = Path(given)
    if path.is_dir():
        names = (path / f"{split}{ending}" for ending in ENDINGS)
        path = next((name for name in names if name.is_file()), path / f"{split}.jsonl")
    if not files_behind(str(path)):
        raise ValueError(
            f"data.{split}_path={given}: no such file. Give a JSONL file, a folder with {split}.jsonl, or hub:<id>; also "
            ".json, .csv, .tsv, .parquet, and a pattern of several files"
        )
    return str(path)


def _refuse_folder(source: str, split: str) -> None:
    """Raise ValueError for a local folder named like the hub id: the library would read it instead, with no digest taken."""
    name = parse(source)[0]
    if Path(name).exists():
        raise ValueError(
            f"data.{split}_path={source}: there is a folder {name} here, which would be read instead of the hub: give "
            f"its path without {HUB_PREFIX!r}, or run from another folder"
        )


def content_of(path: str, role: str) -> str:
    """Digest of a file, or of several; of the hub its name. Raises ValueError where there is none."""
    if path.startswith(HUB_PREFIX) and role != "loss":
        return path
    files = [Path(path)] if role == "loss" else files_behind(path)
    if not files or not files[0].is_file():
        raise ValueError(f"the {role} file {path} does not exist: set data.{role}_path to a local file")
    return files_digest(files)


def num_problems(data: DataConfig, path: str, *, split: str) -> int:
    """Problems of a file, as the data stage will read them.

    Planning reads no network: a data set of the hub has its published size (GSM8K) or the limit that is given.
    """
    how = read_as(data, split=split)
    limit = how.limit
    if path.startswith(HUB_PREFIX):
        if parse(path)[0] == parse(GSM8K_HUB_ID)[0]:
            published, _ = RELEASES[split]
            return published if limit is None else min(limit, published)
        if limit is None:
            raise ValueError(
                f"{path} is planned before it is fetched, so its size must be known: set data.{split}_limit to its number of "
                "rows (or fewer)"
            )
        return limit
    return _count(path, stamp_of(path), replace(how, rule=data.rule))


def no_copy(data: DataConfig, path: str, *, seed: int | None) -> str:
    """Why no problem of a test file that is scored has a numbers-changed copy. '' where one has, where none is asked for,
    and of the hub, whose rows planning does not see."""
    if seed is None or path.startswith(HUB_PREFIX):
        return ""
    how = replace(read_as(data, split="test"), rule=data.rule)
    return why_no_copy(_problems(path, stamp_of(path), how).problems[: data.eval_problems], seed=seed) or ""


def stamp_of(path: str) -> Stamp:
    """What shows that files have changed, cheaply."""
    stats = ((str(file), os.stat(file)) for file in files_behind(path))
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def training_problems(data: DataConfig) -> list[Problem]:
    """All that could be trained on, of files that are here, unusable rows left out."""
    if data.train_mix:
        return _mixed(data).problems
    path = data_path(data.train_path, "train")
    how = _usable(data, split="train")
    return _problems(path, stamp_of(path), how).problems


def _usable(data: DataConfig, *, split: str) -> ReadAs:
    """How rows are read where unusable ones are said elsewhere. Those that a rule drops are dropped before repeats are
    looked for, as in the stage: else a wrong row would stand for its question."""
    rule = data.rule if data.on_bad_gold is OnFault.drop else None
    return replace(read_as(data, split=split), rule=rule, on_bad_gold="drop")


def refuse_leaks(trained: DataConfig, tested: DataConfig, *, train: str, test: str) -> None:
    """Raise ValueError for a training question in the test set, before anything is trained; of the hub the stages see it."""
    if any(path.startswith(HUB_PREFIX) for path in (train, test)):
        return
    first, second = (_usable(data, split=split) for split, data in (("train", trained), ("test", tested)))
    if trained.train_mix:
        asked = _asked(_mixed(trained))
    else:
        asked = _questions(train, stamp_of(train), first)
    _checked_apart(asked, _questions(test, stamp_of(test), second))


@functools.lru_cache(maxsize=64)
def _questions(path: str, stamp: Stamp, how: ReadAs) -> tuple[Asked, ...]:
    return _asked(_problems(path, stamp, how))


def _asked(read: Reading) -> tuple[Asked, ...]:
    return tuple(Asked(problem.question, problem.gold) for problem in read.problems)


@functools.lru_cache(maxsize=8)
def _problems(path: str, stamp: Stamp, how: ReadAs) -> Reading:  # noqa: ARG001
    return read_file(path, how)


@functools.lru_cache(maxsize=64)
def _regrouped(path: str, stamp: Stamp, how: ReadAs) -> bool:
    return grouped_otherwise(_problems(path, stamp, how).asked)


@functools.lru_cache(maxsize=64)
def _checked_apart(train: tuple[Asked, ...], test: tuple[Asked, ...]) -> None:
    refuse_overlap(train, test, name="the training file")


@functools.lru_cache(maxsize=256)
def _count(path: str, stamp: Stamp, how: ReadAs) -> int:  # noqa: ARG001
    return len(read_file(path, how).problems)
