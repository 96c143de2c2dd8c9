"""What the store says of a finished stage, and what may name one.

    entry = store.get("select", key)
    entry.path, entry.seconds          # its folder, and what its computation took

>>> check_name("select", "5f0c4a1e")
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.infra.manifest import Manifest

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_RESERVED_NAMES = {"failed"}


class Busy(Exception):
    """Another live process is computing this key (only with wait=False)."""


@dataclass(frozen=True)
class Entry:
    """One finished stage."""

    path: Path  # its folder
    cache_hit: bool  # False when this very call computed it
    seconds: float  # wall clock of its computation, whenever that was
    meta: dict[str, Any]  # what was given to compute(), and what fill() returned
    digests: dict[str, str]  # of each file's content, by its path in the folder


@dataclass(frozen=True)
class EntryInfo:
    """One line of a listing."""

    name: str
    key: str
    bytes: int
    seconds: float
    created: float  # seconds since the epoch
    files: tuple[str, ...]  # by their path in its folder
    identity: Mapping[str, Any]  # its fields, inputs by their keys; empty where nobody said

    @staticmethod
    def of(manifest: Manifest) -> EntryInfo:
        """Of a finished stage."""
        return EntryInfo(
            manifest.name,
            manifest.key,
            manifest.num_bytes,
            manifest.seconds,
            manifest.created,
            tuple(manifest.files),
            manifest.meta.get("identity", {}),
        )


def digests_of(manifest: Manifest) -> dict[str, str]:
    """The digest of each file."""
    return {name: info.digest for name, info in manifest.files.items()}


def check_name(name: str, key: str) -> None:
    """Raise ValueError for what is no name or key of a stage."""
    if not _NAME.fullmatch(name) or name in _RESERVED_NAMES or not re.fullmatch(r"[0-9a-f]{8,64}", key):
        raise ValueError(
            f"stage {name!r} with key {key!r}: a name has letters, digits, '_', '-' and '.', and is none of "
            f"{sorted(_RESERVED_NAMES)}; a key is 8 to 64 hex digits (rft.infra.digest.digest)"
        )
