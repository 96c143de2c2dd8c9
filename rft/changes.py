"""Two sets of named values beside each other: what `rft explain` and `rft diff` say of configurations and versions.

>>> changed_values({"method": "sft", "train.lr": 0.001}, {"method": "sft", "train.lr": 0.002, "k": 4})
['train.lr 0.001 -> 0.002', 'k none -> 4']

The standard library alone: the analysis and the harness both read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

NONE = "none"


def changed_values(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names with other values, those of the first side first."""
    names = [*before, *(name for name in after if name not in before)]
    pairs = ((name, _value(before, name), _value(after, name)) for name in names)
    return [f"{name} {a} -> {b}" for name, a, b in pairs if a != b]


def _value(of: Mapping[str, Any], name: str) -> str:
    return json.dumps(of[name], ensure_ascii=False) if name in of else NONE
