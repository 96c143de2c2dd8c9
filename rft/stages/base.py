"""Base models: pretrained here from scratch, or imported. Both write a Hugging Face folder and `model_facts.json`:

{"num_params": 104000, "num_params_non_embedding": 98432, "flops_per_token": 265728.0}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rft.config import ArchConfig
from rft.core.batching import packed_steps
from rft.core.model import (
    Model,
    build_llama,
    count_parameters,
    forward_flops_per_token,
    import_model,
    load_model,
)
from rft.core.sampling.held import release_sampler
from rft.core.tokenization import load_tokenizer
from rft.core.training import TrainSettings
from rft.infra.devices import resolve_device
from rft.records import write_json
from rft.stages import Inputs, StageContext, Stats, only
from rft.stages.fitting import fit
from rft.stages.generation import MODEL_FACTS_FILE

GRAD_CLIP = 1.0


def pretrain(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function: a Llama from random weights over the first `tokens` of the corpus, annealed fully."""
    release_sampler()
    corpus, recipe = only(inputs, "corpus"), config["recipe"]
    tokenizer = load_tokenizer(corpus)
    model = build_llama(
        ArchConfig(**config["arch"]),
        vocab_size=len(tokenizer),
        seed=config["seed"],
        eos_id=tokenizer.eos_token_id,
        pad_id=tokenizer.pad_token_id,
    ).to(resolve_device(context.runtime.device))
    num_steps = max(1, recipe["tokens"] // recipe["batch_tokens"])
    settings = TrainSettings(
        num_steps=num_steps,
        lr=recipe["lr"],
        warmup_frac=recipe["warmup_frac"],
        schedule="cosine",
        weight_decay=recipe["weight_decay"],
        grad_clip=GRAD_CLIP,
        beta2=recipe["beta2"],
    )
    steps = packed_steps(
        np.load(corpus / "tokens.npy", mmap_mode="r"),
        sequence=recipe["sequence"],
        batch_tokens=recipe["batch_tokens"],
        num_steps=num_steps,
        seed=config["seed"],
        micro_batch_tokens=context.runtime.micro_batch_tokens,
    )
    result = fit(model, steps, tokenizer=tokenizer, settings=settings, seed=config["seed"], out=out, context=context)
    _write_facts(model, out)
    flops = 3 * forward_flops_per_token(model) * result.target_tokens
    return {"tokens": result.target_tokens, "flops": flops}


def import_base(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function: a causal language model from a local folder or the hub, as safetensors."""
    release_sampler()
    import_model(context.hints["path"], out)
    _write_facts(load_model(out, device="cpu", dtype="float32"), out)
    return {"tokens": 0, "flops": 0.0}


def _write_facts(model: Model, out: Path) -> None:
    count = count_parameters(model)
    facts = {
        "num_params": count.total,
        "num_params_non_embedding": count.non_embedding,
        "flops_per_token": forward_flops_per_token(model),
    }
    write_json(out / MODEL_FACTS_FILE, facts)
