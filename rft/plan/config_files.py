"""Files of a config group that Hydra does not compose: donors of a union and further test sets, read as it would.

merged_file("nano-s-half", group="model", known=choices("model", folders))     # over nano-s, as its list of defaults says
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from rft.registry import suggestion

SELF = "_self_"


def merged_file(name: str, *, group: str, known: Mapping[str, Path], above: tuple[str, ...] = ()) -> DictConfig:
    """A file over those that its list of defaults names, in the list's order; without `_self_` the file itself is last.

    `known`: the group's files by name, of all folders that are searched; `above`: those that are being read, each a default
    of the one before. Raises ValueError for a default that is none of the group's files, or that stands on this one.
    """
    path = known[name]
    own = OmegaConf.load(path)
    assert isinstance(own, DictConfig)
    order = list(own.pop("defaults", []))
    parts, read = [], (*above, name)
    for default in order if SELF in order else [*order, SELF]:
        if default == SELF:
            parts.append(own)
            continue
        below = str(default).removesuffix(".yaml")
        if not isinstance(default, str) or below not in known or below == name:
            raise ValueError(
                f"{path} has the default {default!r}: here it names another file of {group}/ (one of "
                f"{', '.join(sorted(known))}), or {SELF}{suggestion(below, list(known))}"
            )
        if below in above:
            round_trip = " -> ".join((*read[read.index(below) :], below))
            raise ValueError(
                f"{path} has the default {default!r}, which has it as one of its own ({round_trip}): drop one"
            )
        parts.append(merged_file(below, group=group, known=known, above=read))
    merged = OmegaConf.merge(*parts)
    assert isinstance(merged, DictConfig)
    return merged
