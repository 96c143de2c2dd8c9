"""What settings and series are called, and in which order series stand.

method_label(cell)             # 'RFT, 4 donors k=100'
setting_label(cell)            # the same with its share of the data: 'SFT 1/2'
series_by_label(points)        # {'SFT': [...], 'RFT k=4': [...]}
"""

from __future__ import annotations

import math

from analysis.load.cells import NO_DEDUP, Cell
from analysis.style import method_style


def setting_label(cell: Cell) -> str:
    """The method with its share of the data: 'SFT 1/2', 'RFT k=100', 'RFT, 4 donors k=100'."""
    frac = cell.data_frac
    if frac in (None, 1.0):
        return method_label(cell)
    parts = round(1 / frac) if frac else 0
    return f"{method_label(cell)} " + (f"1/{parts}" if parts and math.isclose(1 / parts, frac) else f"{frac:g}")


def method_label(cell: Cell) -> str:
    """What a series is called: the method, with k and donors where they matter, e.g. 'RFT k=4', 'RFT, 4 donors k=100'."""
    label = method_style(cell.method).label
    if cell.union:
        label += f", {len(cell.union)} donors"
    if cell.k is not None:
        label += f" k={cell.k}"
    if cell.policy == NO_DEDUP:
        label += ", no dedup"
    if cell.thinned:
        label += ", thinned"
    if cell.setting.get("sample_from") == "all":
        label += ", all questions"
    if cell.setting.get("train.lora_rank") is not None:
        label += f", LoRA {cell.setting['train.lora_rank']}"
    if not cell.on_all_examples:
        label += f", {cell.examples_frac:g} of examples"
    return label
