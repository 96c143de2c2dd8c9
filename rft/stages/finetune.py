"""Fine-tune a base model on a set of examples: SFT and RFT are this same stage (paper 3.2, 3.3).

Writes a Hugging Face folder, `curve.jsonl` (see rft.stages.fitting) and `model_facts.json`. Loss is averaged over the
response tokens of a whole optimiser step. With `lora_rank` adapters are trained and merged: the folder is a plain model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rft.core.batching import example_steps
from rft.core.lora import add_lora
from rft.core.model import count_trainable, load_model, training_flops_per_token
from rft.core.packing import check_packing
from rft.core.sampling.held import release_sampler
from rft.core.tokenization import Prompt, chat_format, encode_examples, load_tokenizer
from rft.core.training import TrainSettings
from rft.infra.devices import resolve_device
from rft.records import read_json, read_jsonl, write_json
from rft.stages import Inputs, StageContext, Stats, only
from rft.stages.fitting import fit
from rft.stages.generation import MODEL_FACTS_FILE
from rft.stages.trainset import EXAMPLES_FILE, REFERENCE_FILE
from rft.text.prompts import chat_prompt, template_named


def finetune(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function; see rft.stages."""
    base, trainset = only(inputs, "base"), only(inputs, "trainset")
    recipe = config["recipe"]
    tokenizer = load_tokenizer(base)
    rows = list(read_jsonl(trainset / EXAMPLES_FILE))
    examples = encode_examples(
        tokenizer, training_pairs(rows, config["prompt"], tokenizer), max_tokens=recipe["max_tokens"]
    )
    num_steps = optimiser_steps(recipe, num_reference=read_json(trainset / REFERENCE_FILE)["num_reference_examples"])
    release_sampler()
    model = load_model(base, device=resolve_device(context.runtime.device), dtype="float32")
    if context.runtime.packing:
        check_packing(model, examples)
    if recipe["lora_rank"] is not None:
        model = add_lora(model, rank=recipe["lora_rank"], alpha=recipe["lora_alpha"], seed=config["seed"])
    num_trainable, flops_each = count_trainable(model), training_flops_per_token(model)
    settings = train_settings(recipe, num_steps=num_steps)
    steps = example_steps(
        examples,
        batch_size=recipe["batch_size"],
        num_steps=num_steps,
        seed=config["seed"],
        micro_batch_tokens=context.runtime.micro_batch_tokens,
        packing=context.runtime.packing,
    )
    result = fit(model, steps, tokenizer=tokenizer, settings=settings, seed=config["seed"], out=out, context=context)
    write_json(out / MODEL_FACTS_FILE, read_json(base / MODEL_FACTS_FILE))
    facts = {
        "num_optimizer_steps": num_steps,
        "target_tokens": result.target_tokens,
        "epochs_over_data": num_steps * recipe["batch_size"] / len(rows),
        "lr": recipe["lr"],
        "num_trainable": num_trainable,
    }
    mean_tokens = sum(len(example.ids) for example in examples) / len(examples)
    tokens = round(mean_tokens * recipe["batch_size"] * num_steps)
    return {"tokens": tokens, "flops": flops_each * tokens, "record": facts}


def optimiser_steps(recipe: Mapping[str, Any], *, num_reference: int) -> int:
    """Steps of `epochs` passes over the reference number of examples, rounded up; capped by `max_steps`."""
    steps = max(1, math.ceil(recipe["epochs"] * num_reference / recipe["batch_size"] - 1e-9))
    return steps if recipe["max_steps"] is None else min(steps, int(recipe["max_steps"]))


def train_settings(recipe: Mapping[str, Any], *, num_steps: int) -> TrainSettings:
    """The optimiser's part of a recipe; `dtype` stands in it only where it is not float32."""
    return TrainSettings(
        num_steps=num_steps,
        lr=recipe["lr"],
        warmup_frac=recipe["warmup_frac"],
        schedule=recipe["schedule"],
        weight_decay=recipe["weight_decay"],
        grad_clip=recipe["grad_clip"],
        autocast=recipe.get("dtype"),
    )


def training_pairs(rows: Sequence[Mapping[str, Any]], prompt: str, tokenizer: Any) -> list[tuple[Prompt, str]]:
    """(prompt, response) of every row {"question", "solution"} in a template."""
    template = template_named(prompt)
    if template.name == "chat":
        frame = chat_format(tokenizer)
        asked = [Prompt(chat_prompt(row["question"], chat_format=frame), framed=True) for row in rows]
        return [(prompt, row["solution"]) for prompt, row in zip(asked, rows, strict=True)]
    return [(Prompt(template.prompt(row["question"])), template.response(row["solution"])) for row in rows]
