"""The published study (Yuan et al. 2023, arXiv 2308.01825) in the same form as a user's records.

`data/paper_results.csv` holds every published number with its source; fractions, losses and counts as printed. Cells
made from it carry `source` and are single runs on 1,319 problems: their only error is binomial, and they are never paired.

    table = paper_table()                       # Table of cells: icl, sft at every fraction and epoch rule, rft by k, unions
    loss_points()["SFT + GPT-3 + GPT-4"]        # ([2.12, ...], [15.0, ...]): what figure 2 of the paper fits

A row:
    model,params_b,pretrain_loss,method,data_frac,k,samples_from,metric,value,uncertainty,source,epochs,note
    LLaMA-7B,7,1.8,SFT,0.5,,,maj1@1,30.9,0.05,table: 5,3,
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from analysis.load.cells import Cell, Table
from rft.records import Score, StageCost

NUM_TEST = 1319
NUM_TRAIN = 7473
LOSS_TEXT = "texts of their authors (not comparable across families)"
MODELS = ("LLaMA-7B", "LLaMA2-7B", "LLaMA-13B", "LLaMA2-13B", "LLaMA-33B", "LLaMA-65B", "LLaMA2-70B")
U13B = ("LLaMA-7B", "LLaMA2-7B", "LLaMA-13B", "LLaMA2-13B")
U33B = (*U13B, "LLaMA-33B")
PAPER_EPOCHS = 3
FRACTIONS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
BETTER_OF_TWO, SAME_EPOCHS = "better of two", "3 epochs"
RULES = (BETTER_OF_TWO, SAME_EPOCHS, "3/fraction")  # epoch rules of table 5; the first takes the better test result

# Figures of the original that cannot be redrawn, and why
NEVER_PUBLISHED = {
    "path_overlap": "figure 6: of its regions only 13B-2 15.5 %, 33B 6.5 % and 'around 15 %' were printed",
    "path_histograms": "figure 7: its histograms were never published as numbers",
    "self_made": "figure 8: only self-revising K = 1 (36.09 against 35.90) was printed; the rest is in the figure alone",
    "votes_vs_k": "maj1@100 is published at k = 100 alone",
    "emitted_paths": "paths on test questions were never published",
}

Row = Mapping[str, str]


@cache
def rows() -> tuple[Row, ...]:
    """Every published number."""
    text = resources.files("analysis").joinpath("data/paper_results.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def find(**wanted: str) -> list[Row]:
    """Rows whose columns equal `wanted`."""
    return [row for row in rows() if all(row[name] == value for name, value in wanted.items())]


def number_of(row: Row) -> float:
    """The value of a row, in the unit of the table it is from."""
    return float(row["value"])


@cache
def losses() -> dict[str, float]:
    """Pretraining loss by model, nats per token as published or read off the figures."""
    return {row["model"]: number_of(row) for row in find(method="pretrain", metric="pretrain_loss")}


@cache
def paper_table() -> Table:
    """All accuracies of the seven models as cells: ICL, SFT (fractions, both epoch rules), RFT (k, no dedup, unions)."""
    cells = [cell for row in rows() if row["metric"] == "maj1@1" if (cell := _cell(row)) is not None]
    return Table(tuple(cells))


def _cell(row: Row) -> Cell | None:
    """A cell of a maj1@1 row of one of the seven models; None for baselines of others, digitised curves and repetitions."""
    kinds = {
        "ICL-8shot": "icl",
        "SFT": "sft",
        "RFT": "rft",
        "RFT no dedup": "rft",
        "RFT-U13B": "rft",
        "RFT-U33B": "rft",
    }
    if row["method"] not in kinds or row["model"] not in MODELS:
        return None
    method = kinds[row["method"]]
    frac = float(row["data_frac"]) if row["data_frac"] else None
    part = frac if row["method"] == "RFT no dedup" and frac is not None and frac < 1 else None  # of its 400K examples
    union = {"RFT-U13B": U13B, "RFT-U33B": U33B}.get(row["method"], ())
    draws = int(row["k"]) // max(1, len(union)) if method == "rft" else None
    plain = method == "rft" and row["method"] == "RFT"
    value = number_of(row) / 100
    epochs = float(row["epochs"]) if row["epochs"] else None
    return Cell(
        study="paper",
        cell_id="_".join(filter(None, (row["model"], row["method"], row["data_frac"], row["k"], row["epochs"]))),
        names={"model": row["model"], "data": "gsm8k"},
        base=row["model"],
        draw=row["model"],
        setting=_known(
            {
                "method": method,
                "data_frac": frac if part is None else 1.0,
                "k": draws,
                "union": list(union) if method == "rft" else None,
                "temperature": 0.7 if method == "rft" else None,
                "train.epochs": epochs,
                "train.epoch_rule": _epoch_rule(epochs, frac if part is None else 1.0),
                "train.examples_frac": part,
                "select.policy": None
                if method != "rft"
                else ("no_dedup" if row["method"] == "RFT no dedup" else "paper"),
            }
        ),
        scores={"maj1@1": _score(value), **_voted(row)},
        family="LLaMA-2" if row["model"].startswith("LLaMA2") else "LLaMA",
        num_params=float(row["params_b"]) * 1e9,
        loss=losses()[row["model"]],
        loss_text=LOSS_TEXT,
        num_human=None if frac is None or part is not None else round(NUM_TRAIN * frac),
        distinct_per_question_with_human=_paths(row, "distinct_paths_per_question") if plain else None,
        correct_per_question=_paths(row, "correct_paths_per_question") if plain else None,
        cost=_cost(row, plain=plain),
        source=row["source"],
    )


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is printed of a setting; the rest is not known and left out."""
    return {key: value for key, value in values.items() if value is not None}


def _epoch_rule(epochs: float | None, frac: float | None) -> str | None:
    """On all the data the rules are one."""
    if epochs is None or frac == 1:
        return None
    return "fixed" if epochs == PAPER_EPOCHS else "per_fraction"


def _cost(row: Row, *, plain: bool) -> tuple[StageCost, ...]:
    """Table 4 for the cells that it covers: pretraining; fine-tuning of SFT on all data and of U33B; sampling at k = 100.

    U33B is made of its donors' SFT models and samples too. RFT from a model's own samples has no fine-tuning in the table.
    """
    stages = [_stage("pretrain", row["model"], "pretrain", k="")]
    if row["method"] == "SFT" and row["data_frac"] == "1":
        stages.append(_stage("finetune", row["model"], "SFT", k=""))
    if row["method"] == "RFT-U33B":
        stages.append(_stage("finetune", row["model"], "RFT-U33B training", k=""))
        stages += [_stage("finetune", donor, "SFT", k="") for donor in U33B]
        stages += [_stage("shard", donor, "RFT inference (k=100)", k="100") for donor in U33B]
    if plain and row["k"] == "100":
        stages.append(_stage("shard", row["model"], "RFT inference (k=100)", k="100"))
    return tuple(stages)


def _stage(name: str, model: str, method: str, *, k: str) -> StageCost:
    flops, hours = (
        number_of(find(model=model, method=method, metric=metric, k=k)[0])
        for metric in ("FLOPs", "gpu_hours_A100_80GB")
    )
    return StageCost(name, f"table 4: {model} {method}", 3600 * hours, flops, 0, False, makes=True)


def unused_pools() -> list[Cell]:
    """RFT cells without a score for pools that were sampled and counted (table 2) but not trained on: 33B below k = 100."""
    scored = {(c.model, c.k) for c in paper_table().cells if c.method == "rft" and not c.union}
    counted = find(method="rejection sampling", metric="distinct_paths_per_question")
    wanted = [row for row in counted if row["model"] in MODELS and (row["model"], int(row["k"])) not in scored]
    return [
        Cell(
            study="paper",
            cell_id=f"{row['model']}_pool_{row['k']}",
            names={"model": row["model"], "data": "gsm8k"},
            base=row["model"],
            draw=row["model"],
            setting={"method": "rft", "data_frac": 1.0, "k": int(row["k"]), "union": []},
            scores={},
            num_params=float(row["params_b"]) * 1e9,
            distinct_per_question_with_human=number_of(row),
            source=row["source"],
        )
        for row in wanted
    ]


def _score(value: float) -> Score:
    """A published fraction of 1,319 with its binomial error; no count is printed, only a rounded percentage."""
    return Score(value, NUM_TEST, math.sqrt(value * (1 - value) / NUM_TEST))


def _voted(row: Row) -> dict[str, Score]:
    same = {name: row[name] for name in ("model", "method", "data_frac", "k", "epochs")}
    found = find(metric="maj1@100", **same)
    return {"maj1@100": _score(number_of(found[0]) / 100)} if found else {}


def _paths(row: Row, metric: str) -> float | None:
    found = find(method="rejection sampling", metric=metric, model=row["model"], k=row["k"])
    return number_of(found[0]) if found else None


def accuracy(model: str, method: str, *, k: str = "", data_frac: str = "1", epochs: str = "3") -> float | None:
    """One printed maj1@1 in percent; None where the paper has none."""
    wanted = {"model": model, "method": method, "metric": "maj1@1", "k": k, "data_frac": data_frac, "epochs": epochs}
    found = find(**wanted)
    return number_of(found[0]) if found else None


def icl(model: str) -> float | None:
    """8-shot ICL in percent."""
    return accuracy(model, "ICL-8shot", data_frac="", epochs="")


def rft(model: str, *, k: int = 100) -> float | None:
    """RFT from the model's own samples in percent."""
    return accuracy(model, "RFT", k=str(k))


def union(model: str, *, name: str) -> float | None:
    """RFT-U13B or RFT-U33B in percent."""
    return accuracy(model, f"RFT-{name}", k={"U13B": "400", "U33B": "500"}[name])


def sft(model: str, *, frac: float = 1.0, rule: str = SAME_EPOCHS) -> float:
    """SFT in percent under one of RULES."""
    text = f"{frac:g}"
    fixed = accuracy(model, "SFT", data_frac=text)
    assert fixed is not None, f"table 5 has every model at every fraction, asked for {model} at {text}"
    if frac == 1 or rule == SAME_EPOCHS:
        return fixed
    longer = accuracy(model, "SFT", data_frac=text, epochs=f"{PAPER_EPOCHS / frac:g}")
    assert longer is not None, f"table 5 has both epoch rules at every fraction, asked for {model} at {text}"
    return longer if rule == "3/fraction" else max(fixed, longer)


def loss_points() -> dict[str, tuple[list[float], list[float]]]:
    """(losses, percent) of every set of points that is fitted against pretraining loss."""
    gpt3 = ("GPT3-3B", "GPT3-6B", "GPT3-12B", "GPT3-175B")
    seven = {m: sft(m) for m in MODELS}
    with_gpt3 = {**seven, **{m: number_of(find(model=m, metric="maj1@1")[0]) for m in gpt3}}
    with_gpt4 = {**with_gpt3, "GPT-4": number_of(find(model="GPT-4", metric="maj1@1")[0])}
    own = {m: value for m in MODELS if (value := rft(m)) is not None}
    small = [m for m in own if m in U13B]
    by_set = {
        "SFT": seven,
        "SFT + GPT-3 + GPT-4": with_gpt4,
        "SFT + GPT-3": with_gpt3,
        "ICL": {m: value for m in MODELS if (value := icl(m)) is not None},
        "RFT k=100": own,
        "SFT, same 5": {m: seven[m] for m in own},
        "RFT k=100, to 13B": {m: own[m] for m in small},
        "SFT, to 13B": {m: seven[m] for m in small},
        **{f"RFT-{name}": {m: union(m, name=name) or math.nan for m in MODELS} for name in ("U13B", "U33B")},
        "U13B - SFT": {m: (union(m, name="U13B") or math.nan) - seven[m] for m in MODELS},
    }
    return {name: ([losses()[m] for m in values], list(values.values())) for name, values in by_set.items()}


def table_points(*, rule: str = "better of two") -> Table:
    """The cells with one SFT cell per model and fraction, chosen by an epoch rule of RULES."""
    kept = []
    for cell in paper_table().cells:
        if cell.method != "sft" or cell.data_frac == 1 or cell.accuracy is None:
            kept.append(cell)
        elif round(100 * cell.accuracy.value, 6) == sft(cell.model, frac=cell.data_frac or 1, rule=rule):
            fixed = cell.epoch_rule == "fixed"
            if rule == BETTER_OF_TWO or fixed == (rule == SAME_EPOCHS):
                kept.append(cell)
    return Table(tuple(kept))
