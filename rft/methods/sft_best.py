"""SFT-best: SFT with each of several numbers of epochs, of which the best on validation problems is kept.

Where the data have no validation split, a share of the human subset is held out for the choice: the numbers of epochs are
compared on models trained on the rest, and the model that is kept has trained on the whole subset. `choice.json`:

{"epochs": 4, "validation_accuracy": {"2": 0.25, "4": 0.375, "8": 0.375}, "num_validation": 8, "split": "validation split"}
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from rft.config import Split, StudyConfig, fields
from rft.infra.manifest import MANIFEST_FILE
from rft.plan.method import METHODS, Method, Trained, options_of
from rft.plan.planner import Planner
from rft.records import write_json
from rft.stages.evaluate import Evaluate
from rft.stages.finetune import Finetune, TrainingFacts
from rft.stages.holdout import HoldOut
from rft.stages.problems import Subset
from rft.stages.stage import Done, StageContext, Work, said
from rft.stages.trainset import HumanSet
from rft.stages.weights import Weights

CHOICE_FILE = "choice.json"


@dataclass
class SftBestOptions:
    """Under methods.sft_best."""

    epoch_grid: Annotated[list[float], fields.result("(0, inf)")] = field(default_factory=lambda: [4.0, 8.0, 16.0])
    validation_frac: Annotated[
        float, fields.result("(0, 1)", "share of the human subset held out for the choice, without a validation split")
    ] = 0.1


@dataclass(frozen=True)
class ChoiceFacts(TrainingFacts):
    """The chosen training, and how it was chosen."""

    choice: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Best(Weights):
    """The candidate whose number of epochs scored best (of equals the fewest), as links to the files of its folder."""

    kind: ClassVar[str] = "best"
    candidates: tuple[Finetune, ...]
    evaluations: tuple[Evaluate, ...]  # of the same recipes, in the same order
    trainset: HumanSet
    split: str = said("")  # on which problems they were scored, in words

    def run(self, work: StageContext) -> Done:
        scores = [work.open(one).accuracy() for one in self.evaluations]
        epochs = [one.recipe.epochs for one in self.candidates]
        best = choose(epochs, [score for score, _ in scores])
        model = work.open(self.candidates[best])
        _link_folder(model.folder, work.out)
        choice = {
            "epochs": epochs[best],
            "validation_accuracy": {f"{one:g}": score for one, (score, _) in zip(epochs, scores, strict=True)},
            "num_validation": scores[best][1],
            "split": self.split,
        }
        write_json(work.out / CHOICE_FILE, choice)
        *_, last = model.curve()
        recipe, num_examples = self.candidates[best].recipe, work.open(self.trainset).num_examples
        facts = ChoiceFacts(
            num_optimizer_steps=last.step,
            target_tokens=last.target_tokens,
            epochs_over_data=last.step * recipe.batch_size / num_examples,
            lr=recipe.lr,
            num_trainable=None,
            choice=choice,
        )
        return Done(facts=facts)


def choose(epochs: Sequence[float], accuracy: Sequence[float]) -> int:
    """Index of the best accuracy; of equals the one with the fewest epochs."""
    return min(range(len(epochs)), key=lambda i: (-accuracy[i], epochs[i]))


def _link_folder(folder: Path, out: Path) -> None:
    """Put every file of a stage's folder into `out`: as a hard link where the disk has them, else as a copy."""
    for path in folder.iterdir():
        if path.name == MANIFEST_FILE:
            continue
        try:
            os.link(path, out / path.name)
        except OSError:
            shutil.copyfile(path, out / path.name)


@METHODS.add("sft_best")
class SftBest(Method):
    """SFT with the number of epochs chosen on a validation split of the training data."""

    title = "SFT, best epochs"
    options = SftBestOptions

    def problems(self, cfg: StudyConfig) -> Iterator[str]:
        if not options_of(cfg, SftBestOptions).epoch_grid:
            yield "methods.sft_best.epoch_grid is empty: list numbers of epochs to choose from"
        if cfg.eval.split is not Split.test:
            yield "method=sft_best chooses its epochs on the validation split and cannot be scored there: eval.split=test"

    def plan(self, p: Planner) -> Trained:
        grid = sorted(set(p.options(SftBestOptions).epoch_grid))
        trainset = p.human_set(examples_frac=p.examples_frac)
        candidates = tuple(p.finetune(trainset, epochs=epochs) for epochs in grid)
        evaluations, split = _on_validation(p, candidates) if p.cfg.data.num_validation else _carved(p, grid)
        model = p.cfg.model.name
        best = Best(
            candidates=candidates,
            evaluations=evaluations,
            trainset=trainset,
            split=split,
            label=f"best epochs of {model}",
            model=model,
            work=Work(),
        )
        return Trained(best, trainset=trainset)


def _on_validation(p: Planner, candidates: Sequence[Finetune]) -> tuple[tuple[Evaluate, ...], str]:
    """The candidates themselves, scored on the validation split."""
    count = p.cfg.data.num_validation
    found = (p.evaluate(one, problems=p.validation, num_problems=count) for one in candidates)
    return tuple(found), "validation split"


def _carved(p: Planner, grid: Sequence[float]) -> tuple[tuple[Evaluate, ...], str]:
    """The same recipes trained on the rest of the human subset, scored on the part that was held out."""
    count = p.num_human
    num_held = max(1, round(p.options(SftBestOptions).validation_frac * count))
    rest, held = hold_out(p, first=0, last=num_held)
    trainset = p.human_set(rest, examples_frac=p.examples_frac)
    judged = (p.finetune(trainset, epochs=epochs) for epochs in grid)
    found = tuple(p.evaluate(one, problems=held.source, num_problems=num_held) for one in judged)
    return found, f"{num_held} of {count} human problems, held out of the training that is compared"


def hold_out(p: Planner, *, first: int, last: int) -> tuple[Subset, Subset]:
    """(the rest of the cell's human subset, its problems first..last). Raises ValueError when nothing would be left."""
    count = p.num_human
    if not 0 < last - first < count:
        raise ValueError(
            f"method={p.cfg.method} cannot hold {last - first} of {count} human problems out: raise data_frac, or change "
            "methods.sft_best.validation_frac or methods.self_revise.num_folds"
        )
    label = f"hold out {first}-{last} of {count}"
    rest, held = (
        HoldOut(split=split, subset=p.human, first=first, last=last, label=f"{label}, {split}")
        for split in ("train", "validation")
    )
    return Subset(rest, count - (last - first), p.data_seed), Subset(held, last - first, None)
