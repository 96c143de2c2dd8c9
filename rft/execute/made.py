"""What the store keeps beside a stage's files: what the computation took, found and ran on.

made = Made.of(entry.meta)
made.origin["commit"], made.code             # where and by which code; None: from before it was kept
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True)
class Made:
    """See the module."""

    tokens: int
    flops: float
    facts: dict[str, Any]
    origin: dict[str, Any] = field(default_factory=dict)  # of stages from before it was kept: nothing
    code: str | None = None  # digest of the code that ran (rft.execute.code)
    earlier_s: float = 0.0  # spent in killed processes; the store adds it to the stage's seconds (its EARLIER_S)

    @classmethod
    def of(cls, meta: dict[str, Any]) -> Self:
        """Of a finished stage's `meta`."""
        return cls(**{one.name: meta[one.name] for one in fields(cls) if one.name in meta})
