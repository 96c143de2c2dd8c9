"""A small study to explore, with hostile texts, and the documents of a study read as a browser reads them.

folder = hostile_study(tmp_path / "hostile")
unpacked(documents.get("index.json.gz"))["cells"]["ids"]
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from synthetic_study import Truth, grid, write_study

from rft.records import read_jsonl, write_jsonl

HOSTILE = (
    '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">\u2028\U0001f34e{{policy}} & \''
)


def hostile_study(folder: Path) -> Path:
    """20 cells, one missing; one cell's texts, reasons and donors are hostile."""
    specs = grid(fracs=(0.5, 1.0), ks=(4,), methods=("sft", "sft_matched", "rft"), seeds=range(2))
    truth = Truth(num_items=40, num_full=32)
    write_study(folder, specs=specs, truth=truth, missing={1: f"died of {HOSTILE}"}, samples=16, vote_k=3, paths=True)
    path = folder / "3" / "samples.jsonl"
    spoilt = {"text": HOSTILE, "question": HOSTILE, "model": HOSTILE}
    write_jsonl(path, [{**row, **spoilt, "reason": row["reason"] and HOSTILE} for row in read_jsonl(path)])
    share_questions(folder)
    return folder


def share_questions(folder: Path) -> None:
    """The synthetic study's greedy solutions are of questions of their own: give them those of the test problems."""
    for path in folder.glob("*/samples.jsonl"):
        rows = [{**row, "id": row["id"].replace("g-", "t-").replace("p-", "h-")} for row in read_jsonl(path)]
        write_jsonl(path, rows)


def unpacked(content: bytes | None) -> Any:
    """The value of a JSON document."""
    assert content is not None
    return json.loads(gzip.decompress(content))
