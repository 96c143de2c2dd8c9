"""Prompts in, samples out: what evaluation and the shards of a pool share.

samples, work = generate(config, problems, num_draws=None, model=folder, data=folder, context=context)   # greedy
work     # {"tokens": 9120, "flops": 3.1e9}: generated tokens, 2 N per prompt and generated token
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rft.config import Engine
from rft.core.sampling.held import held_sampler, release_sampler
from rft.core.tokenization import Prompt, encode_prompts, load_tokenizer
from rft.infra.devices import resolve_device
from rft.records import Problem, Sample, read_json
from rft.stages import StageContext
from rft.stages.problems import make_prompts, stop_strings
from rft.text.prompts import template_named

MODEL_FACTS_FILE = "model_facts.json"


def generate(
    config: Mapping[str, Any],
    problems: Sequence[Problem],
    *,
    num_draws: int | None,
    model: Path,
    data: Path,
    context: StageContext,
    first_draw: int = 0,
    seed: int = 0,
) -> tuple[list[Sample], dict[str, Any]]:
    """`num_draws` sampled solutions per problem (in problem order, then draw order), or the greedy one (draw -1).

    The engine is asked in the order of ids, so that the order of a file changes no solution.
    """
    tokenizer = load_tokenizer(model)
    order = sorted(range(len(problems)), key=lambda place: problems[place].id)
    asked = [problems[place] for place in order]
    prompts = make_prompts(config, asked, data=data, tokenizer=tokenizer)
    sampler = held_sampler(
        Engine[config["engine"]],
        model,
        device=resolve_device(context.runtime.device),
        threads=context.runtime.threads,
        dtype=config["dtype"],
        batch=context.runtime.sample_batch,
    )
    greedy = num_draws is None
    try:
        groups = sampler.sample(
            prompts,
            num_draws=1 if num_draws is None else num_draws,
            temperature=0.0 if greedy else config["temperature"],
            top_p=1.0 if greedy else config["top_p"],
            max_new_tokens=config["max_new_tokens"],
            stop=stop_strings(config),
            seed=seed,
            progress=lambda done, total: context.report(done / total),
        )
    except BaseException:  # out of memory, interrupted: nothing may stay behind
        release_sampler()
        raise
    groups = [group for _, group in sorted(zip(order, groups, strict=True), key=lambda pair: pair[0])]
    clean = template_named(config["prompt"]).clean
    samples = [
        Sample(
            problem.id,
            -1 if greedy else first_draw + i,
            clean(one.text),
            one.truncated,
            one.num_tokens,
            config["model"],
        )
        for problem, group in zip(problems, groups, strict=True)
        for i, one in enumerate(group)
    ]
    return samples, _work(samples, prompts, tokenizer, model)


def _work(samples: Sequence[Sample], prompts: Sequence[Prompt], tokenizer: Any, model: Path) -> dict[str, Any]:
    generated = sum(sample.num_tokens for sample in samples)
    read = sum(len(ids) for ids in encode_prompts(tokenizer, prompts))
    return {"tokens": generated, "flops": read_json(model / MODEL_FACTS_FILE)["flops_per_token"] * (generated + read)}
