"""One shard of a pool: a fixed block of problems by a fixed block of draws, with a seed of its own.

Writes `samples.jsonl.gz`, rows of rft.records.Sample in problem order, then draw order. The seed is a stable digest of the
pool's seed and the shard, so that the number of workers, their order, restarts and the k asked for cannot change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rft.records import write_jsonl
from rft.stages import SAMPLES_FILE, Inputs, StageContext, Stats, only
from rft.stages.generation import generate
from rft.stages.problems import split_problems, subset_problems
from rft.stages.revise import with_drafts
from rft.text.subsets import rank

SEED_BITS = 31  # what every engine takes


def sample_shard(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function; see rft.stages."""
    data = only(inputs, "data")
    first, last = config["problems"]
    first_draw, last_draw = config["draws"]
    problems = subset_problems(split_problems(data, config["split"]), config["subset"])[first:last]
    if "drafts" in inputs:
        problems = with_drafts(problems, config["prompt"], only(inputs, "drafts"))
    samples, work = generate(
        config,
        problems,
        num_draws=last_draw - first_draw,
        first_draw=first_draw,
        seed=shard_seed(config),
        model=only(inputs, "model"),
        data=data,
        context=context,
    )
    expected = (last - first) * (last_draw - first_draw)
    if len(samples) != expected:
        raise RuntimeError(f"the sampler gave {len(samples)} solutions, expected {expected}")
    write_jsonl(out / SAMPLES_FILE, (sample.to_json() for sample in samples))
    return work


def shard_seed(config: Mapping[str, Any]) -> int:
    """The seed of this shard alone: other models, problems and draws take other random numbers."""
    place = (config["stream"], config["split"], *config["problems"], *config["draws"])
    return rank(f"shard-{config['seed']}", *place) >> (64 - SEED_BITS)
