"""Plans a choice among the distinct paths of some pools (rft.stages.choose), and the scores that it rests on.

candidates, chosen = chosen_of(p, pools, chooser="shortest")
"""

from __future__ import annotations

from rft.config.reading import note, unnoted
from rft.plan.planner import Planner
from rft.plan.yields import model_size
from rft.stages.allocate import AnyPool, DealtShard
from rft.stages.choose import Choose
from rft.stages.foreign import ImportedPool
from rft.stages.scores import Scores
from rft.stages.select import Select
from rft.stages.shard import Shard
from rft.stages.stage import Work
from rft.text.choosing import CHOOSERS


def chosen_of(p: Planner, pools: tuple[AnyPool, ...], *, chooser: str) -> tuple[Select, Choose]:
    """(all correct and distinct solutions of the pools, those that a chooser takes of them).

    The cap of the cell's selection, if it has one, holds for the choice.
    """
    candidates = p.select(pools, checks=p.checks.without_cap())
    reward = p.sources.reward_model if CHOOSERS[chooser].needs_reward_model else None
    if reward is not None:
        note(p.cfg.select, "reward_model_content", reward.digest)
    budget = p.cfg.select.budget
    return candidates, Choose(
        paths=candidates,
        scores=tuple(_scores(p, candidates, pool) for pool in pools),
        subset=candidates.subset,
        equations=p.cfg.select.equations,
        chooser=chooser,
        budget=budget,
        cap=p.checks.most,
        seed=p.sample_seed,
        reward=None if reward is None else reward.digest,
        reward_path="" if reward is None else reward.path,
        plugins=CHOOSERS.foreign(chooser),
        dtype="float32" if reward is None else p.cfg.select.dtype,
        label=f"choose {chooser}{'' if budget is None else f', {budget} paths'}, {candidates.label}",
        work=candidates.work,
    )


def _scores(p: Planner, paths: Select, pool: AnyPool) -> Scores:
    """How likely the model that drew a pool finds the paths kept of it."""
    assert not isinstance(pool, ImportedPool), "refused before (rft.plan.validate)"
    writer, cfg = pool.shards[0], unnoted(p.cfg)
    assert isinstance(writer, Shard | DealtShard), "a server's pool is refused before (rft.plan.servers)"
    size = model_size(cfg.donors.get(writer.model, cfg.model))
    tokens_each = cfg.data.expected_question_tokens + cfg.data.expected_solution_tokens
    tokens = p.expected_kept(paths.subset, draws=pool.num_draws) * tokens_each
    return Scores(
        paths=paths,
        pool=pool,
        weights=writer.weights,
        prompt=writer.generation.prompt,
        own_template=writer.generation.own_template,
        subset=paths.subset,
        numerics=p.cfg.numerics.value,
        dtype=p.cfg.select.dtype,
        label=f"log-probability of {pool.donor}'s paths, {paths.label}",
        model=writer.model,
        work=Work(tokens, 2.0 * size.num_params * tokens, assumed=True),
    )
