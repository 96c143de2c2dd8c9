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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rft.config import EpochRule, ModelConfig, StudyConfig, TuneFor
from rft.config.reading import unnoted
from rft.stages.finetune import Finetune
from rft.stages.holdout import HoldOut
from rft.stages.problems import Subset
from rft.stages.stage import Work
from rft.stages.trainset import HumanSet
from rft.stages.tuning import Tuning, Values

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
    def points(self) -> list[Values]:
        """Every combination, each value once."""
        axes: list[Sequence[float | None]] = [sorted(set(values)) or [None] for values in (self.lr, self.epochs)]
        lr, epochs = axes
        return [Values(lr=rate, epochs=passes) for rate, passes in itertools.product(lr, epochs)]

    @property
    def middle(self) -> Values:
        """The values in the middle, for estimates and as the recipe that the choice replaces."""
        lr, epochs = (sorted(set(values)) for values in (self.lr, self.epochs))
        return Values(lr=_middle(lr), epochs=_middle(epochs))


def _middle(values: Sequence[float]) -> float | None:
    return values[(len(values) - 1) // 2] if values else None


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
    own = grid.per is TuneFor.fraction or p.cfg.data_frac == 1
    subset = p.human if own else p.all_human
    times = epochs_times(p, grid, model=model) if grid.per is TuneFor.fraction else 1.0
    has_split = p.cfg.data.num_validation > 0
    problems, split, num = (p.validation, "validation split", p.cfg.data.num_validation) if has_split else (None, "", 0)
    if problems is None:
        num = max(1, round(grid.validation_frac * subset.num_problems))
        split = f"{num} of {subset.num_problems} human problems, held out of the training that is compared"
        subset, held = hold_out(p, subset=subset, first=0, last=num)
        problems = held.source
    trainset = p.human_set(subset, examples_frac=grid.examples_frac)
    values = [point.times(times) for point in grid.points]
    if not own and not grid.epochs:  # on all the data, where the epoch rules agree: the cell's rule is of its fraction
        values = [replace(one, epochs=p.train_of(model).epochs) for one in values]
    tries = tuple(p.finetune(trainset, model=model, values=one) for one in values)
    scored = tuple(p.evaluate(one, problems=problems, num_problems=num, model=model) for one in tries)
    stage = Tuning(
        points=tuple(grid.points),
        tries=scored,
        split=split,
        label=f"choose {' and '.join(grid.middle.given)} of {model.name}",
        model=model.name,
        work=Work(),
    )
    return Tuned(stage, tries, trainset)


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
