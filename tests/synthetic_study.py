"""Synthetic study folders with known truth, written through rft.records as a study run writes them.

    truth = Truth(replicate_sd=1.5)
    write_study(tmp_path / "study", specs=grid(models=("nano-s", "nano-m"), fracs=(0.25, 0.5, 1)), truth=truth)

A cell's chance of being right on problem i is logistic(logit(accuracy of its setting) + difficulty_i + replicate effect):
the problems' difficulties are shared by all cells, the replicate effect is drawn anew for every (cell, seed).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from rft.archive.seals import seal
from rft.records import RECORD_FILE, Record, Score, StageCost, read_json, write_json, write_jsonl
from rft.votes import Tally, pool_scores

LOSS = {"nano-xs": 2.1, "nano-s": 1.9, "nano-m": 1.7, "nano-l": 1.5}
PARAMS = {"nano-xs": 3e4, "nano-s": 1e5, "nano-m": 4e5, "nano-l": 2e6}
CONTROLS = ("sft_matched", "oracle_paths", "fresh_human")


@dataclass(frozen=True)
class Truth:
    """What is true of every setting; percent and points."""

    at_full: float = 40.0  # SFT accuracy of nano-m on all data
    per_doubling: float = 6.0
    per_loss: float = -40.0  # per nat, about nano-m
    icl: float = 12.0
    rft_at_1: float = 2.0  # RFT minus SFT at k = 1
    rft_per_k: float = 1.0  # points per doubling of k
    control: Mapping[str, float] = field(
        default_factory=lambda: {"sft_matched": 1.0, "oracle_paths": 4.0, "fresh_human": 8.0}
    )  # minus SFT
    fresh_gain: Callable[[float], float] | None = None  # points over sft_matched by fresh problems a human one
    emitted: Mapping[str, int] = field(
        default_factory=lambda: {"sft": 2, "rft": 4}
    )  # equally likely paths on a test problem
    replicate_sd: float = 1.5  # of one cell's accuracy from seed to seed
    draw_sd: float = 0.0  # of all cells of a base together, from draw to draw of it
    gain_sd: float = 0.0  # of one setting's accuracy besides, from draw to draw
    item_sd: float = 1.2  # of problem difficulty, log-odds
    num_items: int = 400
    num_full: int = 512  # human examples at data_frac = 1

    def accuracy(self, spec: Mapping[str, Any]) -> float:
        """Percent."""
        level = self.at_full + self.per_loss * (LOSS[spec["model"]] - LOSS["nano-m"])
        if spec["method"] == "icl":
            return max(0.0, self.icl + 1.5 * self.per_loss * (LOSS[spec["model"]] - LOSS["nano-m"]))
        value = level + self.per_doubling * math.log2(spec["data_frac"])
        if spec["method"] == "rft":
            value += self.rft_at_1 + self.rft_per_k * math.log2(spec["k"] * max(1, len(spec.get("union", ()))))
        if spec["method"] == "fresh_human" and self.fresh_gain is not None:
            n = round(self.num_full * spec["data_frac"])
            return value + self.control["sft_matched"] + self.fresh_gain(num_added(spec, num_human=n) / n)
        value += self.control.get(spec["method"], 0.0)
        return min(99.5, max(0.0, value))


def num_distinct(spec: Mapping[str, Any]) -> float:
    """Distinct sampled paths a question."""
    draws = (spec["k"] or 0) * max(1, len(spec.get("union", ())))
    return 0.5 * draws**0.4 if draws else 0.0


def num_added(spec: Mapping[str, Any], *, num_human: int) -> int:
    """Examples beside the human ones: kept paths, or as many of a control's, or the fresh problems that are asked for."""
    return spec["fresh"] if spec.get("fresh") is not None else round(num_human * num_distinct(spec))


def grid(
    *,
    models: Iterable[str] = ("nano-s", "nano-m"),
    fracs: Iterable[float] = (0.25, 0.5, 1.0),
    ks: Iterable[int] = (1, 4),
    methods: Iterable[str] = ("icl", "sft", "sft_matched", "rft"),
    seeds: Iterable[int] = (0,),
    draws: Iterable[int] = (0,),
) -> list[dict[str, Any]]:
    """Cells of a full grid; controls and ICL on the full data alone. Draws of a base have seeds of their own."""
    if list(draws) != [0]:
        options = {"models": list(models), "fracs": list(fracs), "ks": list(ks), "methods": list(methods)}
        seeds = list(seeds)
        return [
            {**spec, "seed": spec["seed"] + 1000 * draw, "pretrain_seed": draw}
            for draw in draws
            for spec in grid(**options, seeds=seeds)
        ]
    specs: list[dict[str, Any]] = []
    for model in models:
        for seed in seeds:
            for method in methods:
                common = {"model": model, "method": method, "seed": seed}
                if method == "icl":
                    specs.append({**common, "data_frac": None, "k": None})
                    continue
                for frac in fracs:
                    if method == "sft" or (method == "sft_best" and frac == 1):
                        specs.append({**common, "data_frac": frac, "k": None})
                    elif method == "rft" or (frac == 1 and method != "sft_best"):
                        specs += [{**common, "data_frac": frac, "k": k} for k in ks]
    return specs


def seal_cell(folder: Path) -> None:
    """Digests of a cell's files, as a sweep leaves them. Not kept by `write_study`: tests change what it wrote."""
    record = Record.from_json(read_json(folder / RECORD_FILE))
    seal(folder, record=record.to_json(), files=record.all_files)


def write_study(
    folder: Path,
    *,
    specs: list[dict[str, Any]],
    truth: Truth | None = None,
    rng_seed: int = 0,
    missing: Mapping[int, str] | None = None,
    vote_k: int | None = None,
    paths: bool = False,
    samples: int = 0,
) -> Path:
    """Write the study; `missing` maps a cell's place to its failure reason ('' writes no failure.json)."""
    truth = truth or Truth()
    rng = np.random.default_rng(rng_seed)
    difficulty = rng.normal(0, truth.item_sd, truth.num_items)
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for place, spec in enumerate(specs):
        cell_id = cell_name(spec)
        entries.append({"cell_id": cell_id, "folder": str(place)})
        here = folder / str(place)
        here.mkdir(exist_ok=True)
        if missing and place in missing:
            if missing[place]:
                failure = {"cell_id": cell_id, "reason": missing[place], "stage": "finetune", "time": 0}
                write_json(here / "failure.json", failure)
            continue
        write_cell(here, spec, cell_id=cell_id, truth=truth, difficulty=difficulty, rng=rng, vote_k=vote_k, paths=paths)
        if samples:
            write_jsonl(here / "samples.jsonl", _sample_rows(spec, truth, rng, num=samples))
    manifest = {"schema_version": 2, "study": folder.name, "group": folder.name, "cells": entries}
    write_json(folder / "study.json", manifest)
    return folder


def cell_name(spec: Mapping[str, Any]) -> str:
    """Readable and unique."""
    return "_".join(f"{value}" for _, value in sorted(spec.items()))


def draw_effect(spec: Mapping[str, Any], truth: Truth) -> float:
    """Points by which one draw of a base lies from its configuration, for all its cells and for this setting besides."""
    draw = f"{spec['model']} {spec.get('pretrain_seed', 0)}"
    setting = {key: value for key, value in spec.items() if key != "seed"}
    return truth.draw_sd * _normal(draw) + truth.gain_sd * _normal(f"{draw} {sorted(setting.items())}")


def _normal(name: str) -> float:
    return Random(name).gauss(0, 1)


def item_chances(percent: float, difficulty: np.ndarray) -> np.ndarray:
    """Chances per problem whose mean is `percent`, found by bisection on the common shift."""
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.mean(1 / (1 + np.exp(-(middle + difficulty)))) * 100 < percent:
            low = middle
        else:
            high = middle
    return 1 / (1 + np.exp(-(low + difficulty)))


def write_cell(
    here: Path,
    spec: Mapping[str, Any],
    *,
    cell_id: str,
    truth: Truth,
    difficulty: np.ndarray,
    rng: np.random.Generator,
    vote_k: int | None,
    paths: bool,
) -> None:
    """One finished cell's folder."""
    level = truth.accuracy(spec)
    if level > 0:
        level += draw_effect(spec, truth)
        level = float(np.clip(level + rng.normal(0, truth.replicate_sd), 0.1, 99.9))
    chance = item_chances(level, difficulty) if level > 0 else np.zeros_like(difficulty)
    right = rng.random(truth.num_items) < chance
    rows = []
    for i, hit in enumerate(right):
        outcome = {"outcome": "C", "answer": "51"} if hit else {"outcome": "W", "answer": str(i)}
        row: dict[str, Any] = {"id": f"t-{i:04x}", "gold": "51", "greedy": outcome}
        if vote_k:
            hits = rng.random(vote_k) < chance[i]
            wrong = rng.integers(0, 4, vote_k)
            row["draws"] = {
                "outcomes": "".join("C" if h else ("N" if w == 3 else "W") for h, w in zip(hits, wrong, strict=True)),
                "answers": ["51" if h else (None if w == 3 else str(w)) for h, w in zip(hits, wrong, strict=True)],
                "rivals": [None if h or w == 3 else int(w) for h, w in zip(hits, wrong, strict=True)],
                "paths": emitted(rng, vote_k, truth.emitted.get(spec["method"], 2)),
            }
        rows.append(row)
    write_jsonl(here / "outcomes.jsonl.gz", rows)
    if paths and spec["method"] == "rft":
        write_jsonl(here / "paths.jsonl.gz", _path_rows(spec, truth, rng))
    score = Score.binomial(int(right.sum()), truth.num_items)
    draws = {row["id"]: row["draws"] for row in rows if "draws" in row}
    voted = pool_scores({i: Tally.of(d["outcomes"], d["rivals"]) for i, d in draws.items()}) if draws else {}
    record = make_record(spec, cell_id=cell_id, score=score, truth=truth, voted=voted)
    write_json(here / "record.json", record.to_json())


def emitted(rng: np.random.Generator, num: int, kinds: int) -> list[int | None]:
    """Each draw one of `kinds` paths, numbered by first appearance; one draw in `kinds` + 1 has no equations."""
    numbers: dict[int, int] = {}
    drawn = rng.integers(0, kinds + 1, num).tolist()
    return [None if d == kinds else numbers.setdefault(d, len(numbers)) for d in drawn]


def _path_rows(spec: Mapping[str, Any], truth: Truth, rng: np.random.Generator) -> list[dict[str, Any]]:
    donors = list(spec.get("union", ())) or [spec["model"]]
    rows = []
    for problem in range(truth.num_full):
        for donor in donors:
            keys = set(rng.geometric(0.4, size=spec["k"]).tolist())
            rows += [
                {"id": f"h-{problem}", "key": f"{key}*1={key}", "model": donor, "draw": draw, "text": f"path {key}"}
                for draw, key in enumerate(sorted(keys))
            ]
    return rows


def _sample_rows(
    spec: Mapping[str, Any], truth: Truth, rng: np.random.Generator, *, num: int
) -> Iterator[dict[str, Any]]:
    """Greedy solutions, then draws of the pool, right with the setting's accuracy."""
    fates = ((True, None), (False, "duplicate_path"), (False, "false_equation"))
    for source in ("greedy", "pool") if spec["k"] else ("greedy",):
        for i in range(num):
            price, bags = int(rng.integers(2, 20)), int(rng.integers(2, 9))
            right = bool(rng.random() < truth.accuracy(spec) / 100)
            said = price * bags if right else price + bags
            kept, reason = (None, None) if source == "greedy" else fates[i % 3] if right else (False, "wrong")
            yield {
                "id": f"{source[0]}-{i:04x}", "question": f"Ann buys {bags} bags of {price} nails. How many nails?",
                "gold": str(price * bags), "text": f"{bags}*{price}=<<{bags}*{price}={said}>>{said}\n#### {said}",
                "outcome": "correct" if right else "wrong", "source": source, "model": spec["model"],
                "draw": -1 if source == "greedy" else i % (spec["k"] or 1), "kept": kept, "reason": reason,
            }  # fmt: skip


def _histograms(questions: int, draws: int, distinct: float) -> dict[str, list[int]]:
    """Binomial shapes with the means of the record."""
    most = max(1, math.ceil(4 * distinct))

    def counts(n: int, p: float) -> list[int]:
        return [round(questions * math.comb(n, i) * p**i * (1 - p) ** (n - i)) for i in range(n + 1)]

    return {"correct": counts(draws, 0.4), "distinct": counts(most, distinct / most)}


# What a spec may set, by the key that it has in a setting
KEYS = {
    "union": "union", "policy": "select.policy", "epochs": "train.epochs", "epoch_rule": "train.epoch_rule",
    "human_style": "data.world.human_style", "temperature": "temperature", "sample_from": "sample_from",
    "examples_frac": "train.examples_frac", "lora_rank": "train.lora_rank", "thin": "select.thin",
    "to": "methods.sft_matched.to", "fresh": "methods.fresh_human.fresh_count",
}  # fmt: skip


def make_setting(spec: Mapping[str, Any], *, draws: int) -> dict[str, Any]:
    """The configuration as planning reads it: a key without meaning for the method is absent. Dotted keys as given."""
    trained = spec["method"] != "icl"
    setting: dict[str, Any] = {
        "method": spec["method"],
        "model.pretrain.tokens": 2e6,
        "model.arch.width": PARAMS[spec["model"]],
    }
    setting |= {"data.world.human_style": 0.9, "data.rule": "gsm8k", "eval.split": "test"}
    if trained:
        setting |= {"data_frac": spec["data_frac"], "train.epochs": 4, "train.lr": 3e-3, "train.lora_rank": None}
        setting |= {"train.examples_frac": 1.0}
    if draws:
        setting |= {"k": spec["k"], "union": [], "temperature": 0.7, "select.policy": "paper"}
    setting |= {key: spec[name] for name, key in KEYS.items() if spec.get(name) is not None}
    return setting | {key: value for key, value in spec.items() if "." in key}


def make_record(
    spec: Mapping[str, Any], *, cell_id: str, score: Score, truth: Truth, voted: Mapping[str, Score] | None = None
) -> Record:
    """A record as rft.run writes it."""
    trained = spec["method"] != "icl"
    num_human = round(truth.num_full * spec["data_frac"]) if trained else 0
    draws = (spec["k"] or 0) * max(1, len(spec.get("union", ())))
    distinct = num_distinct(spec)
    adds = spec["method"] in ("rft", "oracle_paths", "fresh_human") or ("title" in spec and "to" not in spec)
    added = num_added(spec, num_human=num_human) if adds else 0
    steps = (num_human + round(num_human * distinct)) // 8 if draws else num_human // 8
    setting = make_setting(spec, draws=draws)
    seeds = {"pretrain_seed": spec.get("pretrain_seed", 0), "data_seed": spec["seed"]}
    seeds |= {"train_seed": spec["seed"]} if trained else {}
    seeds |= {"sample_seed": spec["seed"]} if draws else {}
    model = {
        "name": spec["model"], "family": "nano", "num_params": PARAMS[spec["model"]] * 1.2,
        "num_params_non_embedding": PARAMS[spec["model"]], "post_trained": False, "pretrain_tokens": 2e6,
        "base_key": f"base-{spec['model']}-{spec.get('pretrain_seed', 0)}",
        "base_setting": f"base-{spec['model']}", "tokenizer": "t0",
        "pretrain_loss_nats": LOSS[spec["model"]], "pretrain_loss_se": 0.003, "determined_loss_nats": 0.5,
        "bits_per_byte": 1.0, "loss_text": "world held-out slice", "published_loss": None,
        "published_loss_source": None,
    }  # fmt: skip
    data = {
        "dataset": "world-easy", "num_human": num_human, "num_augmented": added, "num_examples": num_human + added,
        "num_questions_sampled": num_human if draws else 0, "num_samples": num_human * draws,
        "histograms": _histograms(num_human, draws, distinct) if draws else None,
        "correct_per_question": 0.4 * draws, "distinct_per_question": distinct if draws else None,
        "distinct_per_question_with_human": distinct + 0.8 if draws else None, "drop_counts": {}, "lucky_frac": 0.02,
        "no_equation_frac": 0.0, "num_optimizer_steps": steps, "target_tokens": 100, "epochs_over_data": 4, "lr": 1e-3,
        "eval_subset": "first-400",
    }  # fmt: skip
    seconds = 2.0 + 0.01 * steps
    names = {"model": spec["model"], "data": "world-easy", "method": spec.get("title", spec["method"])}
    flops = 6.0 * PARAMS[spec["model"]] * 60 * max(1, steps)
    cost = [
        StageCost("pretrain", "b" + spec["model"], 20.0, 1e12, 2_000_000, True, makes=True),
        StageCost("evaluate", "e" + cell_id, 1.0, 1e9, 100, False, makes=False),
    ]
    cost += [StageCost("finetune", "f" + cell_id, seconds, flops, 100, False, makes=True)] if trained else []
    if draws:
        drawn = (f"s{spec['model']}{spec['seed']}", 0.5 * draws, 1e10 * draws, 1000 * draws, True)
        cost.append(StageCost("shard", *drawn, makes=spec["method"] not in CONTROLS))
    return Record(
        "synthetic", cell_id, "key-" + cell_id, names, setting, seeds,
        model, data, {"maj1@1": score, **(voted or {})}, {}, [], cost,
        {"commit": "0" * 40}, {"outcomes": "outcomes.jsonl.gz", "paths": "paths.jsonl.gz", "samples": "samples.jsonl"},
    )  # fmt: skip
