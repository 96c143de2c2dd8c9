"""The local log: JSON lines appended and flushed one by one. It is the truth; every mirror is made from it.

log = LocalLog(folder / "curve.jsonl")
log.append({"step": 10, "loss_nats": 1.93, "lr": 0.001})
rows = log.rows()                                       # also after a crash: half a last line is not a row
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class LocalLog:
    """One append-only file of JSON objects."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one row in a single system call. Raises ValueError for NaN and infinity, OSError when it cannot."""
        text = json.dumps(dict(row), ensure_ascii=False, allow_nan=False) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"  # a crash cut the last line: end it first
            os.write(fd, ("\n" + text if torn else text).encode("utf-8", "surrogatepass"))
        finally:
            os.close(fd)

    def rows(self) -> list[dict[str, Any]]:
        """All rows in order; lines that a crash cut short are left out. No file means no rows."""
        try:
            lines = self.path.read_text(encoding="utf-8", errors="surrogatepass").split("\n")
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                found.append(row)
        return found
