"""Expert iteration: rounds of sampling, selecting and fine-tuning, each pool drawn from the model of the round before.

Round 1 is RFT. In round r the model of round r - 1 writes k solutions to every question; the correct and distinct ones of all
rounds (or of the last) join the human paths; and the base is trained on them again, as in STaR (Zelikman et al. 2022, arXiv
2203.14465) and ReST-EM (Singh et al. 2023, arXiv 2312.06585), or training goes on from the model of the round before. Every
round's pool is made of ordinary shards, so that the first rounds of a longer run are those of a shorter one.

The control at equal steps is `method=sft_matched methods.sft_matched.to=expert_iteration` with the same rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from rft.config import StudyConfig, ThinTo, fields
from rft.methods.rft import KeptSet, pool_of, selected, selected_of
from rft.plan.method import METHODS, Method, Trained
from rft.plan.planner import Planner
from rft.stages.allocate import AnyPool
from rft.stages.finetune import Finetune
from rft.stages.kept import Selection
from rft.stages.select import Select
from rft.stages.trainset import Trainset


class TrainFrom(Enum):
    """Which weights a round starts from."""

    base = "base"  # the base, every time
    last = "last"  # the model of the round before


class PoolsOf(Enum):
    """Whose paths a round trains on."""

    all = "all"  # those of all rounds up to it
    last = "last"  # its own


@dataclass
class ExpertIterationOptions:
    """Under methods.expert_iteration."""

    rounds: Annotated[int, fields.result("[1, inf)", "1 is RFT")] = 2
    train_from: TrainFrom = TrainFrom.base
    pools: PoolsOf = PoolsOf.all


@METHODS.add("expert_iteration")
class ExpertIteration(Method):
    """RFT in rounds, each sampling from the model of the round before."""

    title = "expert iteration"
    options = ExpertIterationOptions

    def problems(self, cfg: StudyConfig) -> Iterator[str]:
        if cfg.union and cfg.select.thin is ThinTo.own:
            yield (
                "method=expert_iteration with select.thin=own: a round's paths cannot be thinned to those of a pool of the "
                "model's own, which later rounds do not draw: leave select.thin at none"
            )

    def plan(self, p: Planner) -> Trained:
        options = p.options(ExpertIterationOptions)
        selections = selected(p)
        model, trainset = self._train(p, selections[-1], round_number=1, last=None)
        trainsets, earlier = [trainset], []
        pools = _pools_of(selections[0])
        for number in range(2, options.rounds + 1):
            pool = pool_of(p, model, num_draws=p.cfg.k, name=f"{p.cfg.model.name}-r{number}")
            pools = (*pools, pool) if options.pools is PoolsOf.all else (pool,)
            selections = selected_of(p, pools)
            last = model if options.train_from is TrainFrom.last else None
            earlier += [last] if last else []
            model, trainset = self._train(p, selections[-1], round_number=number, last=last)
            trainsets = [*trainsets, trainset] if last else [trainset]
        return Trained(
            model, trainset=trainset, selections=selections, earlier=tuple(earlier), steps_of=tuple(trainsets)
        )

    def _train(
        self, p: Planner, paths: Selection, *, round_number: int, last: Finetune | None
    ) -> tuple[Finetune, Trainset]:
        draws = p.cfg.k * sum(1 for _ in _pools_of(paths)) if isinstance(paths, Select) else p.cfg.k
        added = p.expected_kept(p.human, draws=draws)
        name = "rft" if round_number == 1 else f"expert_iteration round {round_number}"
        estimates = p.trainset_estimates(name, p.human, added=added, assumed=True, k=p.cfg.k)
        trainset = KeptSet(subset=p.human, paths=paths, examples_frac=p.examples_frac, **estimates)
        model = p.finetune(trainset, start=last)
        return model, model.trainset


def _pools_of(selection: Selection) -> tuple[AnyPool, ...]:
    """The pools that a selection chose from."""
    assert isinstance(selection, Select)
    return selection.pools
