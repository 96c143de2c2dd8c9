"""What a study lacks for a claim to be tested, and the command that adds it to the study.

    remedy = remedy_of(result, cells=table.cells)
    remedy.words             # 'self-query beside SFT; five draws of each base'
    remedy.command           # "python -m rft.run +study=quickstart '+hydra.sweeper.grids.added={method: ...}' ..."

The command repeats the study's own one, so that whatever the study sets stays as it is; finished cells are found again.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.claims.rulings import ClaimResult
from analysis.load.cells import Cell, Draw, draws_of_bases
from analysis.load.names import TOKENS
from analysis.stats.power import VERDICT_UNITS

DEFAULT_K = 16  # where a study has no RFT
OWN = 3  # python -m rft.run; then the study's own words
GRID = "+hydra.sweeper.grids.added"  # beside those of a study's file


@dataclass(frozen=True)
class Cells:
    """What a claim is tested on: settings of a grid, perhaps for several base configurations."""

    words: str
    grid: Mapping[str, str]  # key -> values; {k}, {half}: the study's k and half of it; {one}, {models}: one model, two
    losses: bool = False  # on a line of pretraining loss


FRACTIONS = "0.25,0.5,1"
NEEDED = {
    "1": Cells("SFT at four fractions, each twice the last", {"method": "sft", "data_frac": "0.125,0.25,0.5,1"}),
    "2a": Cells("SFT", {"method": "sft"}, losses=True),
    "2b": Cells("SFT and ICL", {"method": "icl,sft"}, losses=True),
    "2c": Cells("SFT and ICL", {"method": "icl,sft"}, losses=True),
    "3": Cells("SFT at three fractions", {"method": "sft", "data_frac": FRACTIONS}, losses=True),
    "4a": Cells("RFT beside both controls", {"method": "rft,sft_matched,sft_best", "k": "{k}"}),
    "4b": Cells("RFT beside SFT", {"method": "sft,rft", "k": "{k}"}),
    "4c": Cells("RFT and SFT at three fractions", {"method": "sft,rft", "k": "{k}", "data_frac": FRACTIONS}),
    "5a": Cells("RFT beside SFT", {"method": "sft,rft", "k": "{k}"}, losses=True),
    "5b": Cells("RFT from a union beside SFT", {"method": "sft,rft", "k": "{half}", "union": "{models}"}, losses=True),
    "6a": Cells("RFT at three values of k", {"method": "rft", "k": "1,4,16"}),
    "6b": Cells(
        "RFT with and without de-duplication", {"method": "rft", "k": "{k}", "select.policy": "paper,no_dedup"}
    ),
    "6d": Cells("RFT", {"method": "rft", "k": "{k}"}, losses=True),
    "7a": Cells("RFT from a union of two models", {"method": "rft", "k": "{half},{k}", "union": "[],{models}"}),
    "7b": Cells("RFT from unions of two sizes", {"method": "rft", "k": "{half}", "union": "{one},{models}"}, losses=True),
    "8a": Cells("self-query beside SFT", {"method": "sft,self_query", "k": "{k}"}),
    "8b": Cells("self-revising beside SFT", {"method": "sft,self_revise"}),
}  # fmt: skip


@dataclass(frozen=True)
class Remedy:
    """What to add to a study."""

    words: str
    command: str  # '' where it cannot be written without knowing more models


def remedy_of(result: ClaimResult, *, cells: Sequence[Cell]) -> Remedy:
    """What the study of these measured cells lacks for the claim of a result that is not testable."""
    needed = NEEDED[result.claim]
    pretrained = all(cell.setting.get("model.source") == "pretrain" for cell in cells)
    words, grid, draws = [], {}, {}
    if result.estimate is None:
        bases = {cell.base for cell in cells if cell.loss is not None}
        more = needed.losses and len(bases) < VERDICT_UNITS
        words.append(needed.words + (f" on {VERDICT_UNITS} bases of known loss" if more else ""))
        grid = _grid(needed, cells=cells, more_bases=more)
    fewest = min(map(len, draws_of_bases(cells).values()), default=0)
    if fewest < VERDICT_UNITS and not (needed.losses and result.estimate is None):
        words.append(f"{VERDICT_UNITS} draws of each base" if pretrained else f"{VERDICT_UNITS} models")
        draws = _draws(cells)
    command = _command(cells, grid=grid, draws=draws) if pretrained and words else ""
    return Remedy("; ".join(words), command)


def _grid(needed: Cells, *, cells: Sequence[Cell], more_bases: bool) -> dict[str, str]:
    """The settings of a claim, with what the study has in the places left open."""
    drawn: dict[int, set[Draw]] = {}
    for cell in cells:
        if cell.method == "rft" and cell.k:
            drawn.setdefault(cell.k, set()).add(cell.draw)
    k = max(drawn, key=lambda k: (len(drawn[k]), k), default=DEFAULT_K)
    two = (list(dict.fromkeys(cell.model for cell in cells)) * 2)[:2]
    places = {"k": str(k), "half": str(max(1, k // 2)), "models": f"[{','.join(two)}]", "one": f"[{two[0]}]"}
    grid = {key: value.format(**places) for key, value in needed.grid.items()}
    if more_bases:
        grid["pretrain_tokens"] = ",".join(map(str, _budgets(cells)))
    return grid


def _budgets(cells: Sequence[Cell]) -> list[int]:
    """Five pretraining budgets around the study's commonest, each twice the last."""
    budgets = Counter(int(cell.setting[TOKENS]) for cell in cells if cell.setting.get(TOKENS))
    middle = budgets.most_common(1)[0][0] if budgets else 0
    return [middle // 4, middle // 2, middle, 2 * middle, 4 * middle]


def _draws(cells: Sequence[Cell]) -> dict[str, str]:
    """Five draws, those of the study among them, each with training seeds of its own."""
    known = sorted({cell.seeds["pretrain_seed"] for cell in cells if "pretrain_seed" in cell.seeds})
    fresh = [seed for seed in range(len(known) + VERDICT_UNITS) if seed not in known]
    seeds = sorted([*known, *fresh[: max(0, VERDICT_UNITS - len(known))]])
    return {"pretrain_seed": ",".join(map(str, seeds)), "seed": "${pretrain_seed}"}


def _command(cells: Sequence[Cell], *, grid: Mapping[str, str], draws: Mapping[str, str]) -> str:
    """The command of the study's latest cell with what is added in place of what it said of that; '' where its records name
    none. Beside a study's file the settings are a grid of their own, and draws cross all grids.
    """
    told = [cell for cell in cells if cell.provenance.get("command")]
    if not told:
        return ""
    words = list(max(told, key=lambda cell: str(cell.provenance.get("started", ""))).provenance["command"])
    of_file = any(word.startswith("+study=") for word in words)
    own = ", ".join(f'{key}: "{value}"' for key, value in grid.items())
    new = {**(({GRID: f"{{{own}}}"} if grid else {}) if of_file else grid), **draws}
    words = [word for word in words if word.partition("=")[0] not in new] + [
        f"{key}={value}" for key, value in new.items()
    ]
    sweeps = of_file or {"-m", "--multirun"} & set(words[OWN:])
    return shlex.join(words if sweeps else [*words[:OWN], "-m", *words[OWN:]])
