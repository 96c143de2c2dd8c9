"""What settings and series are called, and in which order series stand.

    method_label(cell)             # 'RFT, 4 donors k=100'
    setting_label(cell)            # the same with its share of the data: 'SFT 1/2'
    series_by_label(points)        # {'SFT': [...], 'RFT k=4': [...]}

Methods with a fixed style (analysis.style.METHODS) have fixed titles and come first. ANY OTHER METHOD stands where RFT
stands: it has the title that its record gives, and its own step-matched control comes next to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from analysis.load.cells import NO_DEDUP, Cell
from analysis.load.points import Point
from analysis.style import METHODS


def familiar(cell: Cell) -> bool:
    """Whether it has a fixed title and style here: controls of methods other than RFT have not."""
    return cell.method in METHODS and not cell.lineage[1]


def studied(cell: Cell) -> bool:
    """RFT and every method that is not known here; not the baselines and controls that they are compared with."""
    return cell.method == "rft" or cell.method not in METHODS


def studied_methods(points: Iterable[Point]) -> list[str]:
    """The studied methods of some points, RFT first, then by name."""
    return sorted({point.method for point in points if studied(point.cell)}, key=lambda name: (name != "rft", name))


def method_title(cell: Cell) -> str:
    """'RFT', 'expert iteration', 'SFT, steps of expert iteration'."""
    return METHODS[cell.method].label if familiar(cell) else cell.title


def method_rank(cell: Cell) -> tuple[int, str, bool]:
    """Sorts by method: the known in the order of their styles, then others by name, each with its control behind it."""
    method, is_control = cell.lineage
    known = list(METHODS)
    return (known.index(method), "", is_control) if method in METHODS else (len(known), method, is_control)


def series_by_label(points: Sequence[Point]) -> dict[str, list[Point]]:
    """Points by method label, by method, then number of donors, then k; what is drawn beside the study comes last."""
    series: dict[str, list[Point]] = {}
    for point in sorted(points, key=lambda p: (p.cell.beside, method_rank(p.cell), len(p.cell.union), p.cell.k or 0)):
        series.setdefault(method_label(point.cell), []).append(point)
    return series


def setting_label(cell: Cell) -> str:
    """The method with its share of the data: 'SFT 1/2', 'RFT k=100', 'RFT, 4 donors k=100'."""
    frac = cell.data_frac
    if frac in (None, 1.0):
        return method_label(cell)
    parts = round(1 / frac) if frac else 0
    share = f"1/{parts}" if parts and math.isclose(1 / parts, frac) else f"{frac:g}"
    return f"{_plain_label(cell)} {share}{cell.origin}"


def method_label(cell: Cell) -> str:
    """What a series is called: the method, with k and donors where they matter, e.g. 'RFT k=4', 'RFT, 4 donors k=100'.

    Of a published cell that is drawn beside another study 'RFT k=100 (published)'.
    """
    return f"{_plain_label(cell)}{cell.origin}"


def _plain_label(cell: Cell) -> str:
    label = method_title(cell)
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
