"""The stages of a cell as data: one constructor per stage, which decides what belongs to its identity.

A stage's key is the digest of its kind, version, result-changing configuration and the KEYS of its inputs; paths, devices,
threads and batch sizes never enter. `rft.pipeline` puts the constructors together as the paper's method section does.

    sft = finetune_stage(cfg, model=cfg.model, data=data, trainset=trainset_stage(cfg, data=data, method=Method.sft))
    sft.key      # '3f2a...', the same on every machine
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rft.config import DataKind, EpochRule, Method, ModelConfig, ModelSource, Numerics, SampleFrom, Split, StudyConfig
from rft.infra.digest import digest
from rft.reading import note, values_of
from rft.stage import (
    BYTES_PER_SAMPLE_TOKEN,
    Sources,
    Stage,
    Work,
    expected_kept,
    model_size,
    num_human,
    num_train,
    seed_of,
)

NOT_IN_RECIPE = (
    "epoch_rule",  # in the epochs
    "examples_frac",  # in the examples
    "epoch_grid",  # of sft_best, which trains a stage for each of its epochs
    "validation_frac",
    "lr",  # the model's own, where it is a donor
    "epochs",
    "lora_alpha",
)


def numerics(cfg: StudyConfig) -> dict[str, str]:
    """What the kernels add to the identity of a stage that computes with floats; the processor's own add nothing."""
    return {} if cfg.numerics is Numerics.native else {"numerics": cfg.numerics.value}


def data_stage(cfg: StudyConfig, sources: Sources) -> Stage:
    """The problems: pool, validation and test."""
    data = cfg.data
    config: dict[str, Any] = {"kind": data.kind.value, "num_validation": data.num_validation}
    if data.kind is DataKind.world:
        assert data.world is not None
        config |= {"world": values_of(data.world), "num_pool": data.num_pool, "num_test": data.num_test}
    else:
        content = {role: value for role, value in sources.data_digest.items() if role != "loss"}
        for role, value in content.items():
            note(data, f"{role}_content", value)
        config |= {"content": content, "train_limit": data.train_limit, "test_limit": data.test_limit}
        config |= {"rule": data.rule, "on_bad_gold": data.on_bad_gold.value, "on_duplicate": data.on_duplicate.value}
    size = (sources.num_pool + sources.num_test) * 1_000.0
    return Stage("data", f"data {data.name}", config, {}, dict(sources.data_paths), Work(num_bytes=size))


def corpus_stage(cfg: StudyConfig, *, num_tokens: int) -> Stage:
    """The embedded world's pretraining text as token ids, with its tokenizer and the held-out slice.

    `human_style` is left out: bases are shared by a sweep over it.
    """
    assert cfg.data.world is not None
    world = values_of(cfg.data.world, leave_out=("human_style",))
    config = {"world": world, "num_tokens": num_tokens, "num_heldout_tokens": cfg.loss.max_tokens}
    return Stage("corpus", f"corpus {num_tokens:,} tokens", config, {}, {}, Work(num_tokens, 0.0, 2.0 * num_tokens))


def base_stage(cfg: StudyConfig, sources: Sources, *, model: ModelConfig) -> Stage:
    """The base model: pretrained here, or imported."""
    size = model_size(model)
    if model.source is ModelSource.imported:
        identity = sources.models[model.name]
        work = Work(num_bytes=4.0 * size.num_params)
        note(model, "content", identity.digest)
        content, hints = {"content": identity.digest}, {"path": identity.path}
        return Stage("import", f"import {model.name}", content, {}, hints, work, model.name)
    assert model.arch is not None
    assert model.pretrain is not None
    budget = model.pretrain.tokens
    config = {"arch": values_of(model.arch), "recipe": values_of(model.pretrain), "seed": cfg.pretrain_seed}
    config |= numerics(cfg)
    work = Work(budget, 6.0 * size.num_params * budget, 4.0 * size.num_params)
    label = f"pretrain {model.name} on {budget:,} tokens"
    return Stage("pretrain", label, config, {"corpus": (corpus_stage(cfg, num_tokens=budget),)}, {}, work, model.name)


def loss_stage(cfg: StudyConfig, sources: Sources, *, model: ModelConfig, base: Stage) -> Stage:
    """Measured pretraining loss of a base model on one held-out text."""
    config: dict[str, Any] = values_of(cfg.loss) | numerics(cfg)
    inputs: dict[str, tuple[Stage, ...]] = {"model": (base,)}
    hints: dict[str, Any] = {}
    if base.kind == "pretrain":
        inputs["corpus"] = base.inputs["corpus"]
    else:
        config["content"] = sources.data_digest["loss"]
        note(cfg, "loss.content", config["content"])
        hints["loss"] = sources.data_paths["loss"]
    work = Work(cfg.loss.max_tokens, 2.0 * model_size(model).num_params * cfg.loss.max_tokens)
    return Stage("loss", f"loss of {model.name}", config, inputs, hints, work, model.name)


def subset_config(cfg: StudyConfig, sources: Sources, *, whole: bool = False) -> dict[str, Any]:
    """Which problems of the pool: the first `num_human` of the order that `data_seed` gives (nested in the fraction)."""
    count = num_train(cfg, sources) if whole else num_human(cfg, sources)
    return {"num_problems": count, "seed": seed_of(cfg, "data_seed")}


def trainset_stage(
    cfg: StudyConfig, sources: Sources, *, method: Method, data: Stage, select: Stage | None = None
) -> Stage:
    """The training examples of a method; with `select`, its kept paths or (for controls) their number."""
    config: dict[str, Any] = {"method": method.value, "subset": subset_config(cfg, sources)}
    config["num_train"] = num_train(cfg, sources)
    if method is cfg.method and (frac := cfg.train.examples_frac) < 1:  # never the donors' SFT models
        config["examples_frac"] = frac
    inputs = {"data": (data,)} | ({"select": (select,)} if select else {})
    size = 600.0 * (num_human(cfg, sources) + (expected_kept(cfg, sources) if select else 0))
    label = f"examples {method.value} {cfg.data_frac:g}"
    return Stage("trainset", label, config, inputs, {}, Work(num_bytes=size, assumed=select is not None))


def finetune_stage(cfg: StudyConfig, sources: Sources, *, model: ModelConfig, base: Stage, trainset: Stage) -> Stage:
    """Fine-tune the BASE model (not the SFT model) on a set of examples: SFT and RFT alike."""
    recipe = values_of(cfg.train, leave_out=NOT_IN_RECIPE) | {"lr": learning_rate(cfg, model), "epochs": epochs(cfg)}
    if recipe["dtype"] == "float32":  # the recipe of stores from before there was a choice
        del recipe["dtype"]
    recipe["lora_alpha"] = None
    if cfg.train.lora_rank is not None:
        recipe |= {"lora_alpha": cfg.train.lora_alpha, "lora_targets": "all-linear"}
    config = {"recipe": recipe, "seed": seed_of(cfg, "train_seed"), "prompt": prompt_of(cfg, model)} | numerics(cfg)
    sampled = "select" in trainset.inputs
    examples = num_human(cfg, sources) + (expected_kept(cfg, sources) if sampled else 0.0)
    examples *= trainset.config.get("examples_frac", 1.0)
    tokens = recipe["epochs"] * examples * (cfg.data.expected_question_tokens + cfg.data.expected_solution_tokens)
    if cfg.train.max_steps is not None:
        per_example = cfg.data.expected_question_tokens + cfg.data.expected_solution_tokens
        tokens = min(tokens, cfg.train.max_steps * cfg.train.batch_size * per_example)
    size = model_size(model)
    flops_each = (6.0 if cfg.train.lora_rank is None else 4.0) * size.num_params  # frozen weights take no gradient
    work = Work(tokens, flops_each * tokens, 4.0 * size.num_params, sampled)
    method = trainset.config["method"]
    label = f"finetune {model.name} {method} {cfg.data_frac:g}" + (f" k={cfg.k}" if sampled else "")
    return Stage("finetune", label, config, {"base": (base,), "trainset": (trainset,)}, {}, work, model.name)


def epochs(cfg: StudyConfig) -> float:
    """Passes over the examples, under the epoch rule; on all the data the rules agree."""
    if cfg.data_frac < 1 and cfg.train.epoch_rule is EpochRule.per_fraction:
        return cfg.train.epochs / cfg.data_frac
    return cfg.train.epochs


def is_own(cfg: StudyConfig, model: ModelConfig) -> bool:
    """Whether a model is the cell's own and not a donor."""
    return model.name == cfg.model.name


def learning_rate(cfg: StudyConfig, model: ModelConfig) -> float:
    """Of fine-tuning a model of the cell; defaults are filled in (rft.sources.filled_in)."""
    rate = cfg.train.lr if is_own(cfg, model) else model.lr
    assert rate is not None
    return rate


def prompt_of(cfg: StudyConfig, model: ModelConfig) -> str:
    """The prompt template of a model of the cell; defaults are filled in (rft.sources.filled_in)."""
    prompt = cfg.data.prompt if is_own(cfg, model) else model.prompt
    assert prompt is not None
    return prompt


def engine_of(cfg: StudyConfig, sources: Sources, model: ModelConfig) -> str:
    """The engine that samples from a model of the cell."""
    engine = sources.engines[model.name].value
    if is_own(cfg, model):
        note(cfg, "sampling.engine", engine)
    else:
        note(model, "engine", engine)
    return engine


def generation_config(cfg: StudyConfig, sources: Sources, *, model: ModelConfig, num_shots: int) -> dict[str, Any]:
    """What decides a generated text besides the weights: engine, precision, prompt, limits, stop strings."""
    return {
        "model": model.name,
        "engine": engine_of(cfg, sources, model),
        "dtype": cfg.sampling.dtype,
        "prompt": prompt_of(cfg, model),
        "num_shots": num_shots,
        "shot_seed": seed_of(cfg, "data_seed") if num_shots else None,
        "max_prompt_tokens": cfg.data.max_prompt_tokens,
        "max_new_tokens": cfg.data.max_new_tokens,
        "stop": list(cfg.sampling.stop),
        **numerics(cfg),
    }


def shard_stages(
    cfg: StudyConfig,
    sources: Sources,
    *,
    model: ModelConfig,
    weights: Stage,
    data: Stage,
    split: str,
    num_draws: int,
    num_shots: int = 0,
) -> Iterator[Stage]:
    """A pool of at least `num_draws` draws as shards: fixed blocks of problems by fixed blocks of draws.

    Each shard has its own seed and composition, so that asking for more draws, fewer, or in another order changes none.
    """
    sampling = cfg.sampling
    if split == "train":
        subset = subset_config(cfg, sources, whole=samples_all(cfg))
        temperature = cfg.temperature
    else:
        subset = {"num_problems": num_eval(cfg, sources), "seed": None}
        temperature = cfg.eval.vote_temperature
    generation = generation_config(cfg, sources, model=model, num_shots=num_shots)
    stream = random_stream(cfg, sources, model)
    tokens_each = cfg.data.expected_solution_tokens
    flops_each = 2.0 * model_size(model).num_params * (tokens_each + cfg.data.expected_question_tokens)
    for first_draw in range(0, num_draws, sampling.draws_per_shard):
        for first in range(0, subset["num_problems"], sampling.problems_per_shard):
            last = min(first + sampling.problems_per_shard, subset["num_problems"])
            config = generation | {
                "split": split,
                "subset": subset,
                "problems": [first, last],
                "draws": [first_draw, first_draw + sampling.draws_per_shard],
                "temperature": temperature,
                "top_p": sampling.top_p,
                "seed": seed_of(cfg, "sample_seed"),
                "stream": stream,
            }
            count = (last - first) * sampling.draws_per_shard
            tokens = count * tokens_each
            work = Work(tokens, count * flops_each, BYTES_PER_SAMPLE_TOKEN * tokens)
            label = f"sample {model.name} {split} {first}-{last} draw {first_draw}+{sampling.draws_per_shard}"
            inputs = {"model": (weights,), "data": (data,)}
            yield Stage("shard", label, config, inputs, {}, work, model.name)


def random_stream(cfg: StudyConfig, sources: Sources, model: ModelConfig) -> str:
    """Which stream of random numbers samples from a base take: donors with one stream would draw alike.

    From what the base is and not from a stage's key, so that it stays when stages are cut otherwise.
    """
    if model.source is ModelSource.imported:
        return digest(["stream", sources.models[model.name].digest])
    return digest(["stream", values_of(model.arch), values_of(model.pretrain), cfg.pretrain_seed])


def samples_all(cfg: StudyConfig) -> bool:
    """Whether questions outside the cell's fraction are sampled too; on all the data the choice means nothing."""
    return cfg.data_frac < 1 and cfg.sample_from is SampleFrom.all


def selection_choices(cfg: StudyConfig) -> dict[str, Any]:
    """What the configuration sets beyond the named policy."""
    return {name: value for name in ("cap", "tie_break") if (value := getattr(cfg.select, name)) is not None}


def select_stage(cfg: StudyConfig, sources: Sources, *, data: Stage, pools: Mapping[str, tuple[Stage, ...]]) -> Stage:
    """Grade, check and de-duplicate the first k draws of each pool (paper A.3); pools by donor name, in listed order."""
    own = ("thin", "cap", "tie_break")  # a stage of its own; two that say nothing unless set
    checks = values_of(cfg.select, leave_out=own) | selection_choices(cfg)
    config = checks | {
        "k": cfg.k,
        "rule": cfg.data.rule,
        "donors": [[name, len(shards)] for name, shards in pools.items()],
        "subset": subset_config(cfg, sources, whole=samples_all(cfg)),
        "seed": seed_of(cfg, "sample_seed"),
    }
    shards = tuple(shard for pool in pools.values() for shard in pool)
    work = Work(num_bytes=400.0 * expected_kept(cfg, sources), assumed=True)
    return Stage("select", f"select k={cfg.k}", config, {"data": (data,), "shards": shards}, {}, work)


def thin_stage(cfg: StudyConfig, sources: Sources, *, select: Stage, like: Stage) -> Stage:
    """A union's kept paths cut to the number that another selection kept, by a seeded choice."""
    work = Work(num_bytes=400.0 * expected_kept(cfg, sources), assumed=True)
    inputs = {"select": (select,), "like": (like,)}
    return Stage("thin", f"thin {select.label}", {"seed": seed_of(cfg, "sample_seed")}, inputs, {}, work)


def num_eval(cfg: StudyConfig, sources: Sources) -> int:
    """Problems that are scored: the validation split, or the named prefix of the test set, or all of it."""
    if cfg.eval.split is Split.validation:
        return cfg.data.num_validation
    return sources.num_test if cfg.data.eval_problems is None else cfg.data.eval_problems


def perturb_stage(cfg: StudyConfig, sources: Sources, *, data: Stage) -> Stage:
    """A numbers-changed copy of the problems that are scored, for models that may have seen the originals."""
    split, count = cfg.eval.split.value, num_eval(cfg, sources)
    config = {"split": split, "num_problems": count, "seed": cfg.eval.perturbed_seed}
    return Stage(
        "perturb", f"numbers changed in {split}", config, {"data": (data,)}, {}, Work(num_bytes=1_000.0 * count)
    )


def evaluate_stage(
    cfg: StudyConfig,
    sources: Sources,
    *,
    model: ModelConfig,
    weights: Stage,
    data: Stage,
    num_shots: int = 0,
) -> Stage:
    """Greedy maj1@1 on the split that is scored, with per-problem outcomes."""
    split, count = cfg.eval.split.value, num_eval(cfg, sources)
    config = generation_config(cfg, sources, model=model, num_shots=num_shots) | {
        "split": split,
        "num_problems": count,
        "rule": cfg.data.rule,
    }
    tokens = count * cfg.data.expected_solution_tokens
    flops = 2.0 * model_size(model).num_params * (tokens + count * cfg.data.expected_question_tokens * (1 + num_shots))
    work = Work(tokens, flops, BYTES_PER_SAMPLE_TOKEN * tokens)
    inputs = {"model": (weights,), "data": (data,)}
    return Stage("evaluate", f"evaluate {weights.label} on {split}", config, inputs, {}, work, model.name)


def vote_stage(cfg: StudyConfig, sources: Sources, *, data: Stage, shards: tuple[Stage, ...]) -> Stage:
    """Outcomes of K sampled solutions per test problem: majority voting and pass@k."""
    config = {
        "split": cfg.eval.split.value,
        "rule": cfg.data.rule,
        "k": cfg.eval.vote_k,
        "num_problems": num_eval(cfg, sources),
    }
    work = Work(num_bytes=100.0 * num_eval(cfg, sources))
    return Stage("vote", f"vote K={cfg.eval.vote_k}", config, {"data": (data,), "shards": shards}, {}, work)
