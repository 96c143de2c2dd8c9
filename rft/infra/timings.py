"""The journal of what stages took: an append-only JSON-lines file that plans read for their estimates.

    append_timing(root / "timings.jsonl", manifest)
    read_timings(root / "timings.jsonl")["finetune"][-1].seconds

One row:
    {"name": "finetune", "key": "5f0c...", "seconds": 41.2, "tokens": 512000, "flops": 1.2e12, "created": 1795382101.2}
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from rft.infra.manifest import Manifest

_MAX_BYTES = 8 << 20  # only the journal's end is read: some 40,000 rows


@dataclass(frozen=True)
class Timing:
    """What one computation of a stage took."""

    key: str
    seconds: float
    tokens: float  # 0 when the stage did not report them
    flops: float  # 0 when the stage did not say
    created: float  # seconds since the epoch


def append_timing(path: Path, manifest: Manifest) -> None:
    """Add one row in a single write, so that rows of many processes do not mix."""
    row = {
        "name": manifest.name,
        "key": manifest.key,
        "seconds": round(manifest.seconds, 4),
        "tokens": manifest.meta.get("tokens", 0),
        "flops": manifest.meta.get("flops", 0),
        "created": manifest.created,
    }
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(fd, (json.dumps(row) + "\n").encode())
    finally:
        os.close(fd)


def read_timings(path: Path) -> dict[str, list[Timing]]:
    """Rows by stage name, oldest first. A row cut short by a crash is passed over: estimates may be incomplete."""
    timings: dict[str, list[Timing]] = {}
    for line in _tail(path):
        try:
            row = json.loads(line)
            timing = Timing(row["key"], row["seconds"], row["tokens"], row["flops"], row["created"])
            timings.setdefault(row["name"], []).append(timing)
        except (ValueError, KeyError, TypeError):
            continue
    return timings


def _tail(path: Path) -> list[bytes]:
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MAX_BYTES))
            return file.read().splitlines()
    except FileNotFoundError:
        return []
