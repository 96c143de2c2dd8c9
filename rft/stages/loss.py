"""Measured pretraining loss of a base model on one held-out text. Writes `loss.json`:

    {"pretrain_loss_nats": 1.93, "pretrain_loss_se": 0.01, "determined_loss_nats": 0.12, "bits_per_byte": 0.61,
     "num_loss_tokens": 65536, "num_loss_bytes": 201734, "loss_text": "world held-out slice 3f2a9c", "tokenizer": "9ac1..."}

Nats are per token of the model's own tokenizer; bits per byte compare models with different tokenizers. Losses compare on one
text alone: its name holds the first digits of a digest, and its length where less than the whole file was scored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rft.core.losses import MeasuredLoss, measure_text
from rft.core.losses import measure_loss as measure_token_loss
from rft.core.model import Model, forward_flops_per_token, load_model
from rft.core.sampling.held import release_sampler
from rft.core.tokenization import load_tokenizer, tokenizer_digest
from rft.infra.devices import resolve_device
from rft.records import read_json, write_json
from rft.stages import Inputs, StageContext, Stats, only


def measure_loss(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function; see rft.stages."""
    folder = only(inputs, "model")
    release_sampler()
    model = load_model(folder, device=resolve_device(context.runtime.device), dtype="float32")
    tokenizer = load_tokenizer(folder)
    if "corpus" in inputs:
        slice_file = only(inputs, "corpus") / "heldout.npy"
        measured = _on_heldout(model, only(inputs, "corpus"), config, context)
        text = f"world held-out slice {hashlib.sha256(slice_file.read_bytes()).hexdigest()[:6]}"
    else:
        path = Path(context.hints["loss"])
        content = path.read_text(encoding="utf-8")
        measured = measure_text(
            model,
            tokenizer,
            content,
            window=config["window"],
            max_tokens=config["max_tokens"],
            micro_batch_tokens=context.runtime.micro_batch_tokens,
        )
        text = f"{path.name} {config['content'][:6]}"
        text += "" if measured.num_bytes == len(content.encode()) else f", first {measured.num_bytes:,} bytes"
    write_json(out / "loss.json", _facts(measured, text) | {"tokenizer": tokenizer_digest(tokenizer)})
    return {"tokens": measured.num_tokens, "flops": forward_flops_per_token(model) * measured.num_tokens}


def _on_heldout(model: Model, corpus: Path, config: Mapping[str, Any], context: StageContext) -> MeasuredLoss:
    return measure_token_loss(
        model,
        np.load(corpus / "heldout.npy"),
        window=config["window"],
        context_id=load_tokenizer(corpus).eos_token_id,
        mask=np.load(corpus / "heldout_determined.npy"),
        num_bytes=read_json(corpus / "corpus.json")["num_heldout_bytes"],
        micro_batch_tokens=context.runtime.micro_batch_tokens,
        progress=lambda done, total: context.report(done / total),
    )


def _facts(measured: MeasuredLoss, text: str) -> dict[str, Any]:
    return {
        "pretrain_loss_nats": measured.loss_nats,
        "pretrain_loss_se": measured.se,
        "determined_loss_nats": measured.determined_loss_nats,
        "bits_per_byte": measured.bits_per_byte,
        "num_loss_tokens": measured.num_tokens,
        "num_loss_bytes": measured.num_bytes,
        "loss_text": text,
    }
