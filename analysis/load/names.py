"""What base models and values of the configuration are called.

base_names(cells)         # {'1f3c...': 'nano-s 2M tok', ...}: the model's name, with what sets namesakes apart
value_text(0.003)         # '0.003'
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from analysis.load.cells import (
    Base,
    Cell,
    varying_keys,
)


def unit_name(cell: Cell) -> str:
    """What a slope on its loss is per: 'nat' or 'bit per byte'."""
    return "nat" if cell.loss_unit == "nats/token" else "bit per byte"


def base_names(cells: Iterable[Cell]) -> dict[Base, str]:
    """A name for every base configuration, by parameters, then tokens: the model's, with what sets namesakes apart."""
    bases: dict[Base, Cell] = {}
    for cell in cells:
        bases.setdefault(cell.base, cell)
    order = sorted(bases, key=lambda b: base_order(bases[b]))
    names = {}
    for base in order:
        namesakes = [bases[b] for b in order if bases[b].model == bases[base].model]
        names[base] = " ".join([bases[base].model, *_apart(bases[base], namesakes)])
    for name in {name for name in names.values() if list(names.values()).count(name) > 1}:
        for number, base in enumerate((b for b in order if names[b] == name), start=1):
            names[base] = f"{name} #{number}"
    return names


def base_order(cell: Cell) -> tuple[Any, ...]:
    """By parameters, then tokens, name and data set."""
    return (cell.num_params or 0, cell.pretrain_tokens or 0, cell.model, cell.data)


TOKENS = "model.pretrain.tokens"


def _apart(cell: Cell, namesakes: Sequence[Cell]) -> list[str]:
    """What of the model sets a base apart from others of its name: tokens, any other key, data set."""
    words = []
    if len({c.pretrain_tokens for c in namesakes}) > 1 and cell.pretrain_tokens:
        words.append(f"{short_number(cell.pretrain_tokens)} tok")
    keys = [
        key for key in varying_keys(namesakes) if key.startswith("model.") and key != TOKENS and key in cell.setting
    ]
    words += [f"{key.removeprefix('model.')}={value_text(cell.setting[key])}" for key in keys]
    if len({c.data for c in namesakes}) > 1:
        words.append(f"on {cell.data}")
    return words


def value_text(value: Any) -> str:
    """A value of the configuration, short: numbers as typed, digests by their first digits; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "+".join(value_text(item) for item in value)
    text = str(value)
    return text[:8] if len(text) == 32 else text


def short_number(value: float) -> str:
    """1,319 -> '1.3K', 4000000 -> '4M'."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def counted(number: int, what: str) -> str:
    """'1 draw', '2 draws'."""
    return f"{number} {what}{'s' * (number > 1)}"
