"""A union's kept paths cut to the number that another selection kept: what a union adds at equal numbers of paths.

Writes `kept.jsonl.gz`, as the select stage does: a choice by seed and origin alone, in which fewer paths lie inside more. A
union that kept no more than the other is left whole; the record's `num_thinned` then is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rft.records import read_jsonl, write_jsonl
from rft.stages import Inputs, StageContext, Stats, only
from rft.text.dedup import thin
from rft.text.selection import KeptPath

KEPT_FILE = "kept.jsonl.gz"


def thin_paths(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function; see rft.stages."""
    kept = [KeptPath(**row) for row in read_jsonl(only(inputs, "select") / KEPT_FILE)]
    size = min(len(kept), sum(1 for _ in read_jsonl(only(inputs, "like") / KEPT_FILE)))
    write_jsonl(out / KEPT_FILE, (path.to_json() for path in thin(kept, size=size, seed=config["seed"])))
    return {"tokens": 0, "flops": 0.0, "record": {"num_thinned": len(kept) - size}}
