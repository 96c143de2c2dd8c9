"""Checks of a data set's adapter, mixture and grading rule.

list(data_problems(cfg))      # ["data.adapter has neither question and solution nor messages: ..."]
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from rft.config import AdapterConfig, DataConfig, DataKind, ModelSource, StudyConfig
from rft.infra.hub import HUB_PREFIX
from rft.text.answers import RULES
from rft.text.rowmap import check_path

# Keys of data sets of files, which the embedded world has nothing for, and the other way round
OF_FILES = (
    "train_path", "test_path", "train_mix", "train_limit", "test_limit", "adapter", "on_bad_gold", "on_duplicate",
    "solutions",
)  # fmt: skip
OF_THE_WORLD = ("world", "num_pool", "num_test")
MOST_SHOWN = 60  # characters of a value


def data_problems(cfg: StudyConfig) -> Iterator[str]:
    """Settings of the cell's data and of its further test sets that cannot work; names have been checked before."""
    for place, data in (("data", cfg.data), *((f"eval_sets.{name}", one) for name, one in cfg.eval_sets.items())):
        yield from _adapter_problems(f"{place}.adapter", data.adapter)
        if missing := RULES[data.rule].needs():
            yield missing
        if data.kind is DataKind.world and not RULES[data.rule].numbers:
            yield f"{place}.rule={data.rule} compares no numbers, which all answers of the embedded world are: use gsm8k"
    yield from _unread_problems(cfg)
    yield from _mix_problems(cfg.data)
    if not RULES[cfg.data.rule].numbers and cfg.eval.perturbed_seed is not None:
        yield f"eval.perturbed_seed changes numbers, and data.rule={cfg.data.rule} is for other answers: set it to null"


def _unread_problems(cfg: StudyConfig) -> Iterator[str]:
    """Keys with a value that the kind of data never reads: whoever set them believes that they count."""
    usual = {field.name: _default(field) for field in dataclasses.fields(DataConfig)}
    own = OF_FILES if cfg.data.kind is DataKind.world else OF_THE_WORLD
    for place, data, keys in (("data", cfg.data, own), *_sets_of_the_world(cfg)):
        for name in keys:
            value = getattr(data, name)
            if value != usual[name]:
                yield f"{place}.{name}={_shown(value)} is for data {_other_kind(data)}: {_remedy(place, name, data)}"
    if cfg.data.loss_path is not None and cfg.model.source is ModelSource.pretrain:
        yield (
            f"data.loss_path={cfg.data.loss_path} is for imported models; the loss of model={cfg.model.name} is measured on "
            "its own corpus: leave it null"
        )


def _default(field: dataclasses.Field[Any]) -> Any:
    """Of a field of a data set; null where each file must say it."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _sets_of_the_world(cfg: StudyConfig) -> Iterator[tuple[str, DataConfig, tuple[str, ...]]]:
    """A set of files has what its own file says of training too, and is only ever scored."""
    for name, data in cfg.eval_sets.items():
        if data.kind is DataKind.world:
            yield f"eval_sets.{name}", data, OF_FILES


def _shown(value: Any) -> str:
    text = str(getattr(value, "value", value))
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _other_kind(data: DataConfig) -> str:
    return "from files" if data.kind is DataKind.world else "of the embedded world"


def _remedy(place: str, name: str, data: DataConfig) -> str:
    if data.kind is not DataKind.world:
        return f"data={data.name} is read from files, and its rows are counted; leave {place}.{name} null"
    return (
        f"{place}={data.name} makes its problems and reads none. Choose a data set of files (data=gsm8k, or a file of your "
        f"own: docs/own-data.md), or leave {place}.{name} out"
    )


def _mix_problems(data: DataConfig) -> Iterator[str]:
    parts = data.train_mix
    if not parts:
        return
    if data.train_limit is not None:
        yield "data.train_limit and data.train_mix: give each file a `limit` of its own"
    weighted = [part.weight for part in parts if part.weight is not None]
    if 0 < len(weighted) < len(parts):
        yield "data.train_mix: give each file a weight, or none (then every row is taken)"
    if any(weight <= 0 for weight in weighted) or any(part.limit is not None and part.limit < 1 for part in parts):
        yield "data.train_mix: weights must be above 0 and limits at least 1"
    for place, part in enumerate(parts):
        if part.path.startswith(HUB_PREFIX):
            yield f"data.train_mix[{place}].path={part.path}: files of a mixture are counted before it runs: fetch it first"
        yield from _adapter_problems(f"data.train_mix[{place}].adapter", part.adapter)


def _adapter_problems(place: str, adapter: AdapterConfig) -> Iterator[str]:
    if adapter.id is not None and (fault := check_path(adapter.id)):
        yield f"{place}.id: {fault}"
    if dataclasses.replace(adapter, id=None) == AdapterConfig():
        return
    question, solution, messages = adapter.question, adapter.solution, adapter.messages
    has_pair, has_either = None not in (question, solution), (question, solution) != (None, None)
    if has_pair is (messages is not None) or has_either is not has_pair:
        yield (
            f"{place} needs question and solution, or messages alone; it has question={question}, solution={solution}, "
            f"messages={messages}"
        )
    for path in (question, solution, messages, adapter.gold):
        if path is not None and (fault := check_path(path)):
            yield f"{place}: {fault}"
