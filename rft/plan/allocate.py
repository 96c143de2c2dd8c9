"""Plans a pool whose draws go where they are wanted (rft.stages.allocate), with as many draws as the uniform pool has.

    allocated(p, sft, subset=p.questions, num_draws=p.cfg.k)

With k = 16 draws a question, blocks of 4 and 3 waves: 4 draws to every question, then three waves, each of which deals a
third of the 12 draws a question that are left.
"""

from __future__ import annotations

from collections.abc import Iterator

from rft.config import ModelConfig, StudyConfig
from rft.config.reading import unnoted
from rft.plan.planner import Planner
from rft.plan.yields import BYTES_PER_SAMPLE_TOKEN, model_size
from rft.stages.allocate import Deal, DealtPool, DealtShard, Targets
from rft.stages.problems import Subset
from rft.stages.stage import Work
from rft.stages.weights import Weights
from rft.text.answers import grading_marks


def first_draws(k: int, *, waves: int, block: int) -> int:
    """Draws of wave 0: a wave's equal part of k in whole blocks, at least one."""
    return min(k, max(block, k // (waves + 1) // block * block))


def wave_blocks(num_left: int, *, waves: int, block: int) -> list[int]:
    """Blocks of each wave, as equal as they can be; draws that do not fill a block are not spent."""
    whole = num_left // block
    return [(number + 1) * whole // waves - number * whole // waves for number in range(waves)]


def allocated(
    p: Planner,
    weights: Weights,
    *,
    subset: Subset,
    num_draws: int,
    model: ModelConfig | None = None,
    name: str = "",
) -> DealtPool:
    """`num_draws` solutions a question on average; see Planner.sample for the rest.

    Raises ValueError where nothing is left to deal.
    """
    model, options, block = model or p.cfg.model, p.cfg.allocation, p.cfg.sampling.draws_per_shard
    first = first_draws(num_draws, waves=options.waves, block=block)
    blocks = wave_blocks((num_draws - first) * subset.num_problems, waves=options.waves, block=block)
    if not any(blocks):
        raise ValueError(nothing_left(p.cfg))
    pool = p.sample(weights, subset=subset, num_draws=first, model=model, name=name)
    deals: tuple[Deal, ...] = ()
    dealt: tuple[DealtShard, ...] = ()
    for wave, num_blocks in enumerate(blocks, start=1):
        deal = Deal(
            first=pool,
            dealt=dealt,
            subset=subset,
            rule=p.cfg.data.rule,
            targets=Targets(options.rule, options.correct),
            cap=options.cap,
            num_blocks=num_blocks,
            block=block,
            seed=p.sample_seed,
            plugins=grading_marks(p.cfg.data.rule),
            label=f"deal {num_blocks} blocks of {block} draws, wave {wave}",
        )
        dealt += tuple(_shards(p, weights, deal=deal, wave=wave, model=model, name=name))
        deals += (deal,)
    return DealtPool(pool, deals, dealt, num_draws)


def _shards(
    p: Planner, weights: Weights, *, deal: Deal, wave: int, model: ModelConfig, name: str
) -> Iterator[DealtShard]:
    """The stages that draw a wave."""
    size, data = p.cfg.sampling.problems_per_shard, unnoted(p.cfg).data
    for first in range(0, deal.num_blocks, size):
        part = first, min(first + size, deal.num_blocks)
        count = (part[1] - part[0]) * deal.block
        tokens = count * data.expected_solution_tokens
        read = count * data.expected_question_tokens
        yield DealtShard(
            weights=weights,
            generation=p.generation(model=model, name=name),
            subset=deal.subset,
            deal=deal,
            part=part,
            num_draws=deal.block,
            temperature=p.cfg.temperature,
            top_p=p.cfg.sampling.top_p,
            seed=p.sample_seed,
            stream=p.random_stream(model, name),
            wave=wave,
            shown_rule=data.rule,
            label=f"sample {model.name} {deal.subset.source.split} wave {wave} blocks {part[0]}-{part[1]}",
            model=model.name,
            work=Work(tokens, 2.0 * model_size(model).num_params * (tokens + read), BYTES_PER_SAMPLE_TOKEN * tokens),
        )


def nothing_left(cfg: StudyConfig) -> str:
    """The message about a k that wave 0 uses up."""
    cfg = unnoted(cfg)
    return (
        f"sampling.allocate=by_difficulty with k={cfg.k} and sampling.draws_per_shard={cfg.sampling.draws_per_shard}: the "
        "first draws of every question leave nothing to deal: raise k above the draws of a shard, or lower these"
    )
