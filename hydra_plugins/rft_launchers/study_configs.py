"""Typed configurations of a sweep's jobs, cheaply: jobs that differ in plain numbers alone share everything else.

    configs = StudyConfigs(JobComposer(loader, master))
    configs.of(["model=nano-s", "method=sft", "seed=7"])     # equal to to_study_config of the composed job
    configs.composed(3, ["model=nano-s", ...])               # Hydra's own form of job 3, for who needs it

A job costs 12 ms the long way. What is free (`method`, `data_frac`, `k`, seeds: numbers and names of the top level, from
which no other value of the configuration follows) is set on a copy of the first job with the same other overrides; the copy
shares its parts. A sweep whose files make values of others (`seed: ${pretrain_seed}`) takes the long way for all jobs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins.rft_launchers.job_composing import JobComposer, numbered
from rft.config import FREE, SEEDS

if TYPE_CHECKING:
    from rft.config import StudyConfig

OWN_RESOLVERS = ("${now:", "${oc.env:")  # of what no job sets


@dataclass(frozen=True)
class _Template:
    """The first of the jobs that share all but what is free."""

    config: StudyConfig
    is_free: bool  # False: values follow from others, so that each job is converted by itself
    valid: set[tuple[Any, ...]]  # what is free but the seeds, in jobs that were checked


class StudyConfigs:
    """Typed configurations of one sweep's jobs."""

    def __init__(self, composer: JobComposer) -> None:
        self.composer = composer
        self._templates: dict[tuple[tuple[str, ...], tuple[str, ...]], _Template] = {}
        self._values: dict[str, Any] = {}
        self._keys: dict[str, str | None] = {}  # by override
        self._one_of: dict[str, Any] = {}

    @cached_property
    def _schema(self) -> DictConfig:
        """Types plain values, and keeps the last one of each key: making it takes longer than planning several jobs. No value
        made of another key may come here, which would take what an earlier job left.
        """
        from rft.config import StudyConfig

        return OmegaConf.structured(StudyConfig)

    def composed(self, number: int, job: Sequence[str]) -> DictConfig:
        """The job as Hydra has it, with its number; names that hold a time are resolved here, so that all workers agree."""
        return numbered(self.composer.compose(job), number)

    def of(self, job: Sequence[str], *, number: int = 0) -> StudyConfig:
        """The job's configuration. Raises what Hydra raises for an override that does not fit, ValueError for what cannot
        work."""
        free, rest = self._parted(job)
        shape = (rest, tuple(free))
        template = self._templates.get(shape)
        if template is None:
            template = self._templates[shape] = self._first(job, free, number)
            return template.config
        values = {key: self._typed(key, text) for key, text in free.items()} if template.is_free else {}
        if not template.is_free or any(value is _NOT_TYPED for value in values.values()):
            return self._with_shared_parts(_typed_long(self.composed(number, job)))
        return _checked(template, values)

    def _first(self, job: Sequence[str], free: dict[str, str], number: int) -> _Template:
        composed = self.composed(number, job)
        config = self._with_shared_parts(_typed_long(composed))
        own = OmegaConf.to_container(self.composer.unfinished(job), resolve=False)
        assert isinstance(own, dict)
        made = any(_follows(value) for key, value in own.items() if key != "hydra") or any(map(self._refers, job))
        return _Template(config, not made, {_without_seeds(config)})

    def _with_shared_parts(self, config: StudyConfig) -> StudyConfig:
        """Equal parts of several jobs as one object, so that planning sees at once that they are."""
        for one in dataclasses.fields(config):
            part = getattr(config, one.name)
            setattr(config, one.name, self._one_of.setdefault(f"{one.name} {part!r}", part))
        return config

    def _parted(self, job: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
        """Overrides of free keys, by key, and the rest. A key that is given twice is in the rest."""
        free: dict[str, str] = {}
        rest: list[str] = []
        for text in job:
            key = self._free_key(text)
            if key is not None and key not in free:
                free[key] = text
            else:
                rest.append(text)
        others = {text.lstrip("+~").partition("=")[0] for text in rest}
        return (free, tuple(rest)) if others.isdisjoint(free) else ({}, tuple(job))

    def _free_key(self, text: str) -> str | None:
        """The key that an override sets, where that is free. A value made of another key's is none: it is each job's own."""
        if text not in self._keys:
            key = text.partition("=")[0]
            is_free = key in FREE and self.composer.is_plain(text) and not self._refers(text)
            self._keys[text] = key if is_free else None
        return self._keys[text]

    def _refers(self, text: str) -> bool:
        """Whether an override's value is made of another key's: by what it sets, since sweepers escape braces in the text."""
        return _follows(self.composer.value(text))

    def _typed(self, key: str, text: str) -> Any:
        """The value as the schema has it; _NOT_TYPED where it does not fit, so that Hydra may say why."""
        if text not in self._values:
            try:
                OmegaConf.update(self._schema, key, self.composer.value(text))
                self._values[text] = self._schema[key]
            except OmegaConfBaseException:
                self._values[text] = _NOT_TYPED
        return self._values[text]


_NOT_TYPED = object()


def _typed_long(composed: DictConfig) -> StudyConfig:
    from rft.plan.typed import to_study_config

    return to_study_config(composed)


def _checked(template: _Template, values: dict[str, Any]) -> StudyConfig:
    from rft.plan.validate import validate

    config = template.config.with_values(**values)
    what = _without_seeds(config)
    if what not in template.valid:
        validate(config)
        template.valid.add(what)
    return config


_without_seeds = attrgetter(*sorted(FREE.difference(SEEDS)))


def _follows(value: Any) -> bool:
    """Whether a value, or one below it, is made of another one."""
    if isinstance(value, dict):
        return any(map(_follows, value.values()))
    if isinstance(value, list):
        return any(map(_follows, value))
    if not isinstance(value, str):
        return False
    for known in OWN_RESOLVERS:
        value = value.replace(known, "")
    return "${" in value
