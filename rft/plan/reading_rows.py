"""How the rows of a data file are read, from its configuration: for the stage that reads them and for what planning counts.

read_as(cfg.data, split="train")       # ReadAs(limit=None, rule=None, on_bad_gold="error", ...)
"""

from __future__ import annotations

from rft.config import AdapterConfig, DataConfig, MixPartConfig, Solutions
from rft.text.answers import RULES
from rft.text.gsm8k import ReadAs
from rft.text.rowmap import RowMap


def read_as(data: DataConfig, *, split: str, part: MixPartConfig | None = None) -> ReadAs:
    """Of one split, or of one file of a mixture. Further solutions of a question change no count, so the first is read."""
    limit = data.train_limit if split == "train" else data.test_limit
    return ReadAs(
        limit=limit if part is None else part.limit,
        on_bad_gold=data.on_bad_gold.value,
        on_duplicate=data.on_duplicate.value,
        solutions=Solutions.first.value if split == "train" else None,
        row_map=(row_map(part.adapter) if part is not None else None) or row_map(data.adapter),
        numbers=RULES[data.rule].numbers,
    )


def row_map(adapter: AdapterConfig) -> RowMap | None:
    """The adapter as what reads rows; None for an empty one."""
    if adapter.question is adapter.solution is adapter.messages is None:
        return None
    return RowMap(adapter.question, adapter.solution, adapter.gold, adapter.messages, adapter.gold_from.value)
