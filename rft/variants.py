"""Methods beside SFT and RFT as stages: epochs chosen on validation, and the augmentations of the paper's appendix D.

    roles = VARIANTS[Method.self_query](cfg, sources, data=data, base=base)
    roles    # {"select": ..., "trainset": ..., "model": ...}, the stages that the cell's record reads

Each trains the BASE model, as SFT and RFT do, and rests on the same stages: `sft_best` on SFT cells of other epochs,
`self_query` on the pool that RFT selects from, `self_revise` on that pool's first draws and on SFT's evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from rft.config import EpochRule, Method, SampleFrom, Split, StudyConfig
from rft.graph import (
    epochs,
    evaluate_stage,
    finetune_stage,
    generation_config,
    learning_rate,
    numerics,
    prompt_of,
    samples_all,
    shard_stages,
    subset_config,
    trainset_stage,
)
from rft.reading import given
from rft.stage import BYTES_PER_SAMPLE_TOKEN, Sources, Stage, Work, expected_kept, model_size, num_human
from rft.text.prompts import REVERSE, REVISE

Roles = dict[str, Stage]


def sft_best(cfg: StudyConfig, sources: Sources, *, data: Stage, base: Stage) -> Roles:
    """SFT with each number of epochs; the model is the one whose number does best on validation problems.

    Data without a validation split give up a share of the human subset for the choice alone: the numbers are compared
    after training on the rest, the model that is kept has trained on the whole subset.
    """
    validating, split = given(cfg, {"eval.split": Split.validation}), "validation split"
    rest, rest_data = sources, data
    if not cfg.data.num_validation:
        count = num_human(cfg, sources)
        num_held = max(1, round(cfg.train.validation_frac * count))
        validating, rest, rest_data = hold_out(cfg, sources, data=data, first=0, last=num_held)
        split = f"{num_held} of {count} human problems, held out of the training that is compared"
    trainset = trainset_stage(cfg, sources, method=Method.sft, data=data)
    rest_trainset = trainset_stage(validating, rest, method=Method.sft, data=rest_data)
    candidates, evaluations = [], []
    for number in epoch_grid(cfg):
        whole, part = with_epochs(cfg, number), with_epochs(validating, number)
        candidates.append(finetune_stage(whole, sources, model=cfg.model, base=base, trainset=trainset))
        judged = finetune_stage(part, rest, model=cfg.model, base=base, trainset=rest_trainset)
        evaluations.append(evaluate_stage(part, rest, model=cfg.model, weights=judged, data=rest_data))
    rate = learning_rate(cfg, cfg.model)
    config = {"epochs": epoch_grid(cfg), "split": split, "batch_size": cfg.train.batch_size, "lr": rate}
    inputs = {"candidates": tuple(candidates), "evaluations": tuple(evaluations), "trainset": (trainset,)}
    model = Stage("best", f"best epochs of {cfg.model.name}", config, inputs, {}, Work(), cfg.model.name)
    return {"trainset": trainset, "model": model}


def epoch_grid(cfg: StudyConfig) -> list[float]:
    """The numbers of epochs to choose from, in order."""
    return sorted(set(cfg.train.epoch_grid))


def with_epochs(cfg: StudyConfig, number: float) -> StudyConfig:
    """The same with that number of epochs, whatever the data fraction."""
    return given(cfg, {"train.epochs": number, "train.epoch_rule": EpochRule.fixed})


def hold_out(
    cfg: StudyConfig, sources: Sources, *, data: Stage, first: int, last: int
) -> tuple[StudyConfig, Sources, Stage]:
    """The cell on a part of its human subset: problems first..last are its validation split, the rest its whole set.

    Draws on the validation split take the sampling temperature. Raises ValueError when nothing would be left.
    """
    count = num_human(cfg, sources)
    if not 0 < last - first < count:
        raise ValueError(
            f"method={cfg.method.value} cannot hold {last - first} of {count} human problems out: raise data_frac, or "
            "change train.validation_frac (sft_best) or self_revise.num_folds"
        )
    config = {"subset": subset_config(cfg, sources), "held": [first, last]}
    label = f"hold out {first}-{last} of {count}"
    stage = Stage("holdout", label, config, {"data": (data,)}, {}, Work(num_bytes=1_000.0 * count))
    changed = {
        "data_frac": 1.0,
        "data.num_train": count - (last - first),
        "data.num_validation": last - first,
        "eval.split": Split.validation,
    }
    if cfg.method is not Method.sft_best:  # which sets its own epochs, and draws nothing
        changed |= {"eval.vote_temperature": cfg.temperature}
        changed |= {"train.epochs": epochs(cfg), "train.epoch_rule": EpochRule.fixed}
    return given(cfg, changed), replace(sources, num_pool=count - (last - first)), stage


def sft_stage(cfg: StudyConfig, sources: Sources, *, data: Stage, base: Stage) -> Stage:
    """The SFT model of the cell."""
    trainset = trainset_stage(cfg, sources, method=Method.sft, data=data)
    return finetune_stage(cfg, sources, model=cfg.model, base=base, trainset=trainset)


def for_task(cfg: StudyConfig, task: str) -> StudyConfig:
    """The same with the prompt and the lengths of a task: reverse (path in, question out) or revise (draft in too)."""
    prompt_tokens, new_tokens = cfg.data.max_prompt_tokens, cfg.data.max_new_tokens
    return given(
        cfg,
        {
            "data.max_prompt_tokens": prompt_tokens + new_tokens,
            "data.max_new_tokens": prompt_tokens if task == REVERSE else new_tokens,
            "data.prompt": f"{prompt_of(cfg, cfg.model)}_{task}",
        },
    )


def self_query(cfg: StudyConfig, sources: Sources, *, data: Stage, base: Stage) -> Roles:
    """Hindsight relabelling: a model of the reverse task writes the question that a sampled path does solve."""
    subset = subset_config(cfg, sources)
    sft = sft_stage(cfg, sources, data=data, base=base)
    pool = tuple(shard_stages(cfg, sources, model=cfg.model, weights=sft, data=data, split="train", num_draws=cfg.k))
    reverse, turned = for_task(cfg, REVERSE), {"method": "reverse", "subset": subset}
    reverse_set = Stage("reverse", "examples reverse", turned, {"data": (data,)}, {}, Work())
    writer = finetune_stage(reverse, sources, model=reverse.model, base=base, trainset=reverse_set)
    select = _relabel_stage(cfg, reverse, sources, data=data, sft=sft, writer=writer, pool=pool)
    config = {"method": cfg.method.value, "mix": cfg.self_query.mix.value, "subset": subset}
    label = f"examples self_query {cfg.data_frac:g}"
    trainset = Stage("query_set", label, config, {"data": (data,), "select": (select,)}, {}, Work(assumed=True))
    model = finetune_stage(cfg, sources, model=cfg.model, base=base, trainset=trainset)
    return {"select": select, "trainset": trainset, "model": model}


def _relabel_stage(
    cfg: StudyConfig,
    reverse: StudyConfig,
    sources: Sources,
    *,
    data: Stage,
    sft: Stage,
    writer: Stage,
    pool: tuple[Stage, ...],
) -> Stage:
    """Paths of the pool with the questions that the reverse model writes, checked by the SFT model where configured."""
    world = cfg.data.world
    inputs = {"data": (data,), "model": (writer,), "shards": pool}
    solve = None
    if cfg.self_query.consistent:
        solve = generation_config(cfg, sources, model=cfg.model, num_shots=0)
        inputs["sft"] = (sft,)
    config: dict[str, Any] = {
        "reverse": generation_config(reverse, sources, model=reverse.model, num_shots=0),
        "solve": solve,
        "relabel": cfg.self_query.relabel.value,
        "rule": cfg.data.rule,
        "equations": cfg.select.equations,
        "tolerance": cfg.select.tolerance,
        "k": cfg.k,
        "donors": [[cfg.model.name, len(pool)]],
        "subset": subset_config(cfg, sources, whole=samples_all(cfg)),
        **numerics(cfg),
        "world_seed": world.seed if world else None,
        "world_limit": world.max_value if world else None,
    }
    tokens = expected_kept(cfg, sources) * cfg.data.expected_question_tokens
    flops = 2.0 * model_size(cfg.model).num_params * (tokens + pool_tokens(cfg, sources))
    work = Work(tokens, flops, BYTES_PER_SAMPLE_TOKEN * tokens, assumed=True)
    return Stage("relabel", f"relabel k={cfg.k}", config, inputs, {}, work, cfg.model.name)


def pool_tokens(cfg: StudyConfig, sources: Sources) -> float:
    """Estimated tokens of the paths that are relabelled."""
    return expected_kept(cfg, sources) * cfg.data.expected_solution_tokens


def self_revise(cfg: StudyConfig, sources: Sources, *, data: Stage, base: Stage) -> Roles:
    """Question and sampled draft in, human path out; evaluated on the SFT model's greedy drafts."""
    own = given(cfg, {"sample_from": SampleFrom.own})
    sft = sft_stage(own, sources, data=data, base=base)
    revise = for_task(own, REVISE)
    config = {
        "method": cfg.method.value,
        "subset": subset_config(own, sources),
        "num_drafts": cfg.self_revise.num_drafts,
        "choose": cfg.self_revise.choose.value,
        "prompt": prompt_of(revise, revise.model),
        "rule": cfg.data.rule,
    }
    inputs = {"data": (data,), "shards": tuple(_drafts(own, sources, data=data, base=base, sft=sft))}
    trainset = Stage("revise_set", f"examples self_revise {cfg.data_frac:g}", config, inputs, {}, Work())
    model = finetune_stage(revise, sources, model=revise.model, base=base, trainset=trainset)
    drafts = evaluate_stage(cfg, sources, model=cfg.model, weights=sft, data=data)
    return {"trainset": trainset, "drafts": drafts, "model": model}


def _drafts(cfg: StudyConfig, sources: Sources, *, data: Stage, base: Stage, sft: Stage) -> Iterator[Stage]:
    """Drafts of the training questions: the SFT model's own, or for each fold those of an SFT model of the other folds."""
    num_folds, num_drafts = cfg.self_revise.num_folds, cfg.self_revise.num_drafts
    if num_folds == 1:
        yield from shard_stages(
            cfg, sources, model=cfg.model, weights=sft, data=data, split="train", num_draws=num_drafts
        )
        return
    count = num_human(cfg, sources)
    for fold in range(num_folds):
        first, last = fold * count // num_folds, (fold + 1) * count // num_folds
        part, rest, rest_data = hold_out(cfg, sources, data=data, first=first, last=last)
        blind = sft_stage(part, rest, data=rest_data, base=base)
        yield from shard_stages(
            part, rest, model=cfg.model, weights=blind, data=rest_data, split="validation", num_draws=num_drafts
        )


VARIANTS: dict[Method, Callable[..., Roles]] = {
    Method.sft_best: sft_best,
    Method.self_query: self_query,
    Method.self_revise: self_revise,
}
