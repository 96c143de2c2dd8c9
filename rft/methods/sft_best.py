"""SFT-best: SFT with each of several numbers of epochs, of which the best on validation problems is kept.

A case of tuning (rft.plan.tuning) that other cells do not follow: the grid of epochs is its own, chosen at the cell's
fraction; learning rates are tried too where the cell tunes them. Where the data have no validation split, a share of the
human subset is held out: the recipes are compared on models trained on the rest, and the model that is kept has trained on
the whole subset. The record has the choice with the whole curve (`data.choice`, see rft.stages.tuning).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from rft.config import Split, StudyConfig, TuneFor, fields
from rft.plan.method import METHODS, Method, Trained, options_of
from rft.plan.planner import Planner
from rft.plan.tuning import Grid, asks


@dataclass
class SftBestOptions:
    """Under methods.sft_best."""

    epoch_grid: Annotated[list[float], fields.result("(0, inf)", is_set=True)] = field(
        default_factory=lambda: [4.0, 8.0, 16.0]
    )
    validation_frac: Annotated[
        float, fields.result("(0, 1)", "share of the human subset held out for the choice, without a validation split")
    ] = 0.1


@METHODS.add("sft_best")
class SftBest(Method):
    """SFT with the number of epochs chosen on a validation split of the training data."""

    title = "SFT, best epochs"
    options = SftBestOptions
    chooses = True

    def problems(self, cfg: StudyConfig) -> Iterator[str]:
        if not options_of(cfg, SftBestOptions).epoch_grid:
            yield "methods.sft_best.epoch_grid is empty: list numbers of epochs to choose from"
        if cfg.eval.split is not Split.test:
            yield "method=sft_best chooses its epochs on the validation split and cannot be scored there: eval.split=test"

    def plan(self, p: Planner) -> Trained:
        trainset = p.human_set(examples_frac=p.examples_frac)
        return Trained(p.finetune(trainset, grid=_grid(p)), trainset=trainset)


def _grid(p: Planner) -> Grid:
    options = p.options(SftBestOptions)
    rates = tuple(p.cfg.tune.train.lr) if asks(p.cfg) else ()
    share = {} if p.cfg.data.num_validation else {"validation_frac": options.validation_frac}
    return Grid(
        lr=rates,
        epochs=tuple(options.epoch_grid),
        per=TuneFor.fraction,
        examples_frac=p.examples_frac,
        by_rule=False,
        **share,
    )
