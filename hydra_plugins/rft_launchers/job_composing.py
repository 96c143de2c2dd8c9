"""Configurations of a sweep's jobs, cheaply: jobs with the same group choices share one composition.

    composer = JobComposer(hydra_context.config_loader, master_config)
    composer.compose(["model=nano-s", "method=sft", "k=4"])      # equal to load_sweep_config of the same overrides

Hydra composes the defaults list, which takes 100 ms, then applies plain `key=value` overrides in their order. The first
part depends on group choices alone (and on whatever is not a plain override), so it is done once for each set of them.
"""

import pickle
from collections.abc import Sequence
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict, read_write


class JobComposer:
    """Composes jobs of one sweep."""

    def __init__(self, config_loader: Any, master: DictConfig) -> None:
        self.loader = config_loader
        self.master = master
        self.parser = OverridesParser.create(config_loader=config_loader)
        self.parsed: dict[str, Override] = {}
        self.templates: dict[tuple[str, ...], bytes] = {}
        self.groups: dict[str, bool] = {}
        self.plain: dict[str, bool] = {}

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The job's configuration. Raises what Hydra raises for an override that does not fit."""
        parsed = [self._parse(text) for text in overrides]
        rest = self._rest(overrides)
        plain = [override for text, override in zip(overrides, parsed, strict=True) if text not in rest]
        if rest not in self.templates:  # a copy by pickle costs a quarter of deepcopy
            self.templates[rest] = pickle.dumps(self.loader.load_sweep_config(self.master, list(rest)))
        config: DictConfig = pickle.loads(self.templates[rest])
        ConfigLoaderImpl._apply_overrides_to_config(plain, config)
        self._describe(config, parsed)
        OmegaConf.copy_cache(from_config=self.master, to_config=config)
        return config

    def unfinished(self, overrides: Sequence[str]) -> DictConfig:
        """The job as its files have it, its plain overrides left out; to look at, not to change."""
        config: DictConfig = pickle.loads(self.templates[self._rest(overrides)])
        return config

    def is_plain(self, text: str) -> bool:
        """Whether an override sets a value of the user's own configuration and nothing else."""
        if text not in self.plain:
            self.plain[text] = self._is_plain(self._parse(text))
        return self.plain[text]

    def value(self, text: str) -> Any:
        """What an override sets."""
        return self._parse(text).value()

    def _parse(self, text: str) -> Override:
        if text not in self.parsed:
            self.parsed[text] = self.parser.parse_overrides([text])[0]
        return self.parsed[text]

    def _rest(self, overrides: Sequence[str]) -> tuple[str, ...]:
        """What is not applied after all else: words that are not plain, and plain ones about the same value as one of these
        (`++k=2` say), a part of it or what holds it, since the last word counts. Choices of a group come first anyway."""
        others = [
            f"{one.key_or_group}."
            for one in map(self._parse, (text for text in overrides if not self.is_plain(text)))
            if one.package is None and not self.groups.get(one.key_or_group, False)
        ]

        def waits(key: str) -> bool:
            return any(f"{key}.".startswith(other) or other.startswith(f"{key}.") for other in others)

        return tuple(
            text for text in overrides if not self.is_plain(text) or (others and waits(self._parse(text).key_or_group))
        )

    def _is_plain(self, override: Override) -> bool:
        """Whether it is `key=value` of the user's own configuration, with no say in the defaults list."""
        key = override.key_or_group
        if key not in self.groups:
            self.groups[key] = self.loader.repository.group_exists(key)
        changes_structure = override.is_add() or override.is_delete() or override.is_force_add()
        hydra_own = override.is_hydra_override() or override.package is not None
        return not (changes_structure or hydra_own or self.groups[key])

    def _describe(self, config: DictConfig, parsed: Sequence[Override]) -> None:
        """The job's own overrides, as Hydra notes them."""
        task = [override for override in parsed if not override.is_hydra_override()]
        naming = config.hydra.job.config.override_dirname
        with open_dict(config.hydra):
            config.hydra.overrides.task = [override.input_line for override in task]
            config.hydra.job.override_dirname = get_overrides_dirname(
                overrides=task, kv_sep=naming.kv_sep, item_sep=naming.item_sep, exclude_keys=naming.exclude_keys
            )


def numbered(config: DictConfig, number: int) -> DictConfig:
    """The job's configuration with its number; names that hold a time are resolved here, so that all workers agree."""
    with read_write(config), read_write(config.hydra), open_dict(config):
        config.hydra.job.id = number
        config.hydra.job.num = number
        config.hydra.sweep.dir = str(config.hydra.sweep.dir)
        config.study_name = str(config.study_name)
    return config
