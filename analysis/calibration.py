"""Does the world ask RFT the paper's question: statistics of SFT and of sampling from it, target against reached.

    python -m analysis.calibration multirun_outputs/calibration
    reached(cells)              # {("share_new", 12): 58.3, ...}; a statistic that the cells do not give is absent

It reads the records of cells that draw samples from an SFT model (`sampled`, or `rft` with a pool of its own) over a ladder
of k, of SFT and of ICL. Cells that differ in anything but method, k and seeds are settings of their own; a setting's
statistics are means over draws of its base and their replicates. Targets: data/calibration_targets.csv, explained in
docs/calibration.md.

A row of the targets:
    statistic,k,target,low,high,unit,source
    share_new,12,61,51,71,%,...
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from statistics import fmean

from analysis.load.cells import Cell, group_draws
from analysis.load.studies import load_studies

NOT_OF_THE_SETTING = ("method", "k")
POOLS = ("sampled", "rft")
SFT = ("sft", "sampled")  # whose accuracy is SFT's
CORRECT_AT = 100  # the paper's k

Statistic = tuple[str, int | None]  # name, k


@dataclass(frozen=True)
class Target:
    """One statistic of the paper and how far off is near enough."""

    statistic: Statistic
    target: float
    low: float
    high: float
    unit: str
    source: str

    def met(self, value: float) -> bool:
        """Whether a reached value lies within the tolerance."""
        return self.low <= value <= self.high


@cache
def targets() -> tuple[Target, ...]:
    """All of them, in the order of the file."""
    text = resources.files("analysis").joinpath("data/calibration_targets.csv").read_text(encoding="utf-8")
    return tuple(
        Target(
            statistic=(row["statistic"], int(row["k"]) if row["k"] else None),
            target=float(row["target"]),
            low=float(row["low"]),
            high=float(row["high"]),
            unit=row["unit"],
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def reached(cells: Sequence[Cell]) -> dict[Statistic, float]:
    """The statistics of one setting's cells."""
    pools = [cell for cell in cells if cell.method in POOLS and not cell.union]
    found: dict[Statistic, float] = {}
    for k in sorted({cell.k for cell in pools if cell.k is not None}):
        found |= _at(k, [cell for cell in pools if cell.k == k])
    ladder = {k: value for (name, k), value in found.items() if name == "distinct_with_human" and k is not None}
    if len(ladder) >= 3:
        found["slope_of_distinct", None] = _slope(ladder)
    sft = _accuracy(cell for cell in cells if cell.method in SFT and cell.data_frac == 1)
    icl = _accuracy(cell for cell in cells if cell.method == "icl")
    if sft is not None:
        found["sft_accuracy", None] = sft
        if icl is not None:
            found["icl_minus_sft", None] = icl - sft
    return found


def _at(k: int, pools: Sequence[Cell]) -> dict[Statistic, float]:
    """What pools of k draws a question hold."""
    distinct, with_human = _mean(pools, _distinct), _mean(pools, _distinct_with_human)
    found: dict[Statistic, float] = {}
    if with_human is not None:
        found["distinct_with_human", k] = with_human
        if distinct:
            found["share_new", k] = 100 * (with_human - 1) / distinct
    correct = _mean(pools, lambda cell: cell.correct_per_question)
    if correct is not None and k == CORRECT_AT:
        found["correct_of_100", k] = correct
    return found


def _distinct(cell: Cell) -> float | None:
    return cell.distinct_per_question


def _distinct_with_human(cell: Cell) -> float | None:
    return cell.distinct_per_question_with_human


def _mean(cells: Iterable[Cell], value: Callable[[Cell], float | None]) -> float | None:
    """Mean over draws of the base of the mean over replicates, of the cells that have the number."""
    draws = [[x for cell in own if (x := value(cell)) is not None] for own in group_draws(cells).values()]
    means = [fmean(found) for found in draws if found]
    return fmean(means) if means else None


def _accuracy(cells: Iterable[Cell]) -> float | None:
    """Mean accuracy in percent; a model whose pools of several k were drawn counts once."""
    models = {(cell.draw, *sorted(_training_seeds(cell).items())): cell for cell in cells}
    return _mean(models.values(), lambda cell: None if cell.accuracy is None else 100 * cell.accuracy.value)


def _training_seeds(cell: Cell) -> dict[str, int]:
    return {name: seed for name, seed in cell.seeds.items() if name != "sample_seed"}


def _slope(ladder: Mapping[int, float]) -> float:
    """Least squares of the logarithms."""
    xs, ys = [math.log(k) for k in ladder], [math.log(value) for value in ladder.values()]
    x, y = fmean(xs), fmean(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)


def by_setting(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """Cells of one setting together, by a name that tells what differs. SFT and ICL know fewer keys than a pool: they belong
    to every pool's setting with which they agree in the keys that they know."""
    pools = [cell for cell in cells if cell.method in POOLS and not cell.union]
    settings: list[dict[str, object]] = []
    for cell in pools:
        if (own := _shared(cell)) not in settings:
            settings.append(own)
    differing = sorted({key for one in settings for key in one if any(one.get(key) != s.get(key) for s in settings)})
    groups: dict[str, list[Cell]] = {}
    for setting in settings:
        name = ", ".join(f"{key}={setting.get(key)}" for key in differing) or "all cells"
        members = [cell for cell in cells if cell in pools and _shared(cell) == setting]
        others = [cell for cell in cells if cell not in pools and _agrees(cell, setting)]
        groups[name] = members + others
    return groups


def _shared(cell: Cell) -> dict[str, object]:
    return {key: value for key, value in cell.setting.items() if key not in NOT_OF_THE_SETTING}


def _agrees(cell: Cell, setting: Mapping[str, object]) -> bool:
    return all(setting[key] == value for key, value in _shared(cell).items() if key in setting)


def table(cells: Sequence[Cell]) -> str:
    """Markdown: a row a statistic, target and tolerance, then each setting's value; one outside the tolerance has a star."""
    groups = {name: reached(group) for name, group in by_setting(cells).items()}
    head = ["statistic", "target", "tolerance", *groups]
    lines = [_row(head), _row(["---"] * len(head))]
    for target in targets():
        name, k = target.statistic
        shown = [_shown(target, found.get(target.statistic)) for found in groups.values()]
        label = name.replace("_", " ") + (f", k = {k}" if k is not None else "") + f" ({target.unit})"
        lines.append(_row([label, f"{target.target:g}", f"{target.low:g} to {target.high:g}", *shown]))
    return "\n".join(lines)


def _row(fields: Sequence[str]) -> str:
    return "| " + " | ".join(fields) + " |"


def _shown(target: Target, value: float | None) -> str:
    if value is None:
        return "-"
    digits = 1 if target.unit in ("%", "points", "samples") else 2
    return f"{value:.{digits}f}" + ("" if target.met(value) else " *")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", type=Path, nargs="+")
    found = load_studies(parser.parse_args().studies)
    print(table(found.cells))
    for gap in found.missing:
        print(f"missing: {gap.cell_id}: {gap.reason}")


if __name__ == "__main__":
    main()
