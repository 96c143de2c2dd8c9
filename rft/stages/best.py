"""SFT-best: of one fine-tuning with several numbers of epochs, the one that is best on validation problems.

The chosen model folder is linked into the output, with its curve, and `choice.json` says how it was chosen:

{"epochs": 4, "validation_accuracy": {"2": 0.25, "4": 0.375, "8": 0.375}, "num_validation": 8, "split": "validation"}
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rft.infra.manifest import MANIFEST_FILE
from rft.records import OUTCOMES_FILE, Outcome, read_json, read_jsonl, write_json
from rft.stages import CURVE_FILE, Inputs, StageContext, Stats, only
from rft.stages.trainset import REFERENCE_FILE

CHOICE_FILE = "choice.json"


def choose_best(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function: `candidates` and `evaluations` stand in the order of `epochs`; ties go to the fewest epochs."""
    scores = [_accuracy(folder) for folder in inputs["evaluations"]]
    best = choose(config["epochs"], [score for score, _ in scores])
    folder = inputs["candidates"][best]
    _link_folder(folder, out)
    choice = {
        "epochs": config["epochs"][best],
        "validation_accuracy": {
            f"{epochs:g}": score for epochs, (score, _) in zip(config["epochs"], scores, strict=True)
        },
        "num_validation": scores[best][1],
        "split": config["split"],
    }
    write_json(out / CHOICE_FILE, choice)
    facts = {"choice": choice} | _training_facts(config, folder, only(inputs, "trainset"))
    return {"tokens": 0, "flops": 0.0, "record": facts}


def choose(epochs: Sequence[float], accuracy: Sequence[float]) -> int:
    """Index of the best accuracy; of equals the one with the fewest epochs."""
    return min(range(len(epochs)), key=lambda i: (-accuracy[i], epochs[i]))


def _accuracy(folder: Path) -> tuple[float, int]:
    letters = [row["outcome"] for row in read_jsonl(folder / OUTCOMES_FILE)]
    return letters.count(Outcome.CORRECT.letter) / len(letters), len(letters)


def _training_facts(config: Mapping[str, Any], folder: Path, trainset: Path) -> dict[str, Any]:
    """What the chosen candidate's fine-tuning reports, from its curve."""
    *_, last = read_jsonl(folder / CURVE_FILE)
    num_examples = read_json(trainset / REFERENCE_FILE)["num_examples"]
    return {
        "num_optimizer_steps": last["step"],
        "target_tokens": last["target_tokens"],
        "epochs_over_data": last["step"] * config["batch_size"] / num_examples,
        "lr": config["lr"],
    }


def _link_folder(folder: Path, out: Path) -> None:
    """Every file of a stage's folder; hard links where the disk has them, since weights are large and never change."""
    for path in folder.iterdir():
        if path.name == MANIFEST_FILE:
            continue
        try:
            os.link(path, out / path.name)
        except OSError:
            shutil.copyfile(path, out / path.name)
