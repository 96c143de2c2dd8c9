"""Plans the choice of a recipe on validation problems: `tune`, of which `method=sft_best` is a case.

    found = tuned(p, Grid(lr=(1e-3, 3e-3, 1e-2)), model=p.cfg.model)
    found.stage                        # rft.stages.tuning.Tuning: what every training of this model then follows
    found.tries                        # the trainings that were compared

A recipe is chosen once per model, on SFT, and every training of that model in every method follows it: so a method and its
control differ in their data, and neither has been tuned more than the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rft.config import EpochRule, ModelConfig, StudyConfig, TuneFor
from rft.config.reading import unnoted
from rft.stages.evaluate import Evaluate
from rft.stages.finetune import Finetune
from rft.stages.holdout import HoldOut
from rft.stages.problems import Subset
from rft.stages.stage import Work
from rft.stages.trainset import HumanSet
from rft.stages.tuning import Tuning

if TYPE_CHECKING:
    from rft.plan.planner import Planner


HELD = 0.1  # without meaning where the data have a validation split


@dataclass(frozen=True)
class Grid:
    """Recipes to choose from: every combination of the values."""

    lr: tuple[float, ...] = ()
    epochs: tuple[float, ...] = ()
    per: TuneFor = TuneFor.model
    validation_frac: float = HELD
    examples_frac: float = 1.0
    by_rule: bool = True  # epochs stand for train.epochs, of which the epoch rule makes passes; else for passes

    @property
    def values(self) -> dict[str, tuple[float, ...]]:
        """The values of each field that is tuned, sorted."""
        fields = {"lr": self.lr, "epochs": self.epochs}
        return {name: tuple(sorted(set(values))) for name, values in fields.items() if values}

    @property
    def points(self) -> list[dict[str, float]]:
        """The combinations."""
        return [dict(zip(self.values, point, strict=True)) for point in itertools.product(*self.values.values())]

    @property
    def middle(self) -> dict[str, float]:
        """The values in the middle, for estimates and as the recipe that the choice replaces."""
        return {name: values[(len(values) - 1) // 2] for name, values in self.values.items()}


@dataclass(frozen=True)
class Tuned:
    """A planned choice."""

    stage: Tuning
    tries: tuple[Finetune, ...]
    trainset: HumanSet  # that the tries are trained on


def asks(cfg: StudyConfig) -> bool:
    """Whether a configuration has a grid to choose from. Notes nothing."""
    bare = unnoted(cfg).tune.train
    return bool(bare.lr or bare.epochs)


def grid_of(p: Planner) -> Grid | None:
    """The grid of the cell's configuration; None where it has none. Noted only where there is one."""
    if not asks(p.cfg):
        return None
    tune = p.cfg.tune
    lr, epochs = (tuple(map(float, values)) for values in (tune.train.lr, tune.train.epochs))
    return Grid(
        lr=lr,
        epochs=epochs,
        per=TuneFor.model if p.cfg.data_frac == 1 else tune.per,  # on all the data they agree
        validation_frac=HELD if p.cfg.data.num_validation else tune.validation_frac,
    )


def epochs_times(p: Planner, grid: Grid, *, model: ModelConfig) -> float:
    """Passes over the cell's examples for each of the grid's epochs."""
    if not grid.epochs or not grid.by_rule or p.cfg.data_frac == 1:
        return 1.0
    return 1 / p.cfg.data_frac if p.train_of(model).epoch_rule is EpochRule.per_fraction else 1.0


def tuned(p: Planner, grid: Grid, *, model: ModelConfig) -> Tuned:
    """The choice for a model: on all its human problems, or on those of the cell's fraction."""
    whole = grid.per is TuneFor.fraction or p.cfg.data_frac == 1
    subset = p.human if whole else p.all_human
    times = epochs_times(p, grid, model=model) if grid.per is TuneFor.fraction else 1.0
    has_split = p.cfg.data.num_validation > 0
    problems, split, num = (p.validation, "validation split", p.cfg.data.num_validation) if has_split else (None, "", 0)
    if problems is None:
        num = max(1, round(grid.validation_frac * subset.num_problems))
        split = f"{num} of {subset.num_problems} human problems, held out of the training that is compared"
        subset, held = hold_out(p, subset=subset, first=0, last=num)
        problems = held.source
    trainset = p.human_set(subset, examples_frac=grid.examples_frac)
    tries = tuple(_try(p, trainset, point, model=model, times=times) for point in grid.points)
    scored = tuple(p.evaluate(one, problems=problems, num_problems=num, model=model) for one in tries)
    return Tuned(_stage(grid, scored, model=model, split=split), tries, trainset)


def _try(p: Planner, trainset: HumanSet, point: dict[str, float], *, model: ModelConfig, times: float) -> Finetune:
    values = point | ({"epochs": point["epochs"] * times} if "epochs" in point else {})
    return p.finetune(trainset, model=model, values=values)


def _stage(grid: Grid, scored: Sequence[Evaluate], *, model: ModelConfig, split: str) -> Tuning:
    names = tuple(grid.values)
    return Tuning(
        names=names,
        points=tuple(tuple(point[name] for name in names) for point in grid.points),
        tries=tuple(scored),
        split=split,
        label=f"choose {' and '.join(names)} of {model.name}",
        model=model.name,
        work=Work(),
    )


def hold_out(p: Planner, *, first: int, last: int, subset: Subset | None = None) -> tuple[Subset, Subset]:
    """(the rest of a human subset, its problems first..last), by default of the cell's.

    Raises ValueError when nothing would be left.
    """
    subset = subset or p.human
    count = subset.num_problems
    if not 0 < last - first < count:
        raise ValueError(
            f"method={p.cfg.method} cannot hold {last - first} of {count} human problems out: raise data_frac, or change "
            "tune.validation_frac, methods.sft_best.validation_frac or methods.self_revise.num_folds"
        )
    label = f"hold out {first}-{last} of {count}"
    rest, held = (
        HoldOut(split=split, subset=subset, first=first, last=last, label=f"{label}, {split}")
        for split in ("train", "validation")
    )
    return Subset(rest, count - (last - first), p.data_seed), Subset(held, last - first, None)
