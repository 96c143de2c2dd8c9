"""Causal language models: built from an architecture, read from and written to plain Hugging Face folders, counted.

model = build_llama(arch, vocab_size=248, seed=0, eos_id=1, pad_id=0)     # arch of conf/model/nano-s.yaml
save_model(model, tokenizer, folder)
model = load_model(folder, device="cpu", dtype="float32")
count_parameters(model)          # ParameterCount(total=122688, non_embedding=106816)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as hf_logging

from rft.config import ArchConfig
from rft.core.checkpoints import MODEL_PATTERNS, check_folder
from rft.core.number_start import start_numbers
from rft.core.seeding import seed_torch
from rft.core.tokenization import Tokenizer, load_tokenizer

Model = Any  # PreTrainedModel or its peft wrapper

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class ParameterCount(NamedTuple):
    """Parameters of a model. Tied weights count once."""

    total: int
    non_embedding: int  # without input embedding, output head and learned positions; norms are included


def build_llama(
    arch: ArchConfig,
    *,
    vocab_size: int,
    seed: int,
    eos_id: int,
    pad_id: int,
    numbers: Mapping[int, int] | None = None,
) -> LlamaForCausalLM:
    """A randomly initialised Llama, float32, tied embeddings, scaled-dot-product attention. Same seed, same weights.

    `numbers` names the number tokens, id and value, for `arch.number_start`.
    Raises ValueError when the width does not divide into an even number of channels a head, or heads into kv heads.
    """
    if arch.width % arch.num_heads or (arch.width // arch.num_heads) % 2:
        raise ValueError(f"width {arch.width} must be num_heads ({arch.num_heads}) times an even head size")
    if arch.num_heads % arch.num_kv_heads:
        raise ValueError(f"num_heads {arch.num_heads} must be a multiple of num_kv_heads {arch.num_kv_heads}")
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=arch.width,
        intermediate_size=arch.mlp_width,
        num_hidden_layers=arch.num_layers,
        num_attention_heads=arch.num_heads,
        num_key_value_heads=arch.num_kv_heads,
        max_position_embeddings=arch.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=eos_id,
        pad_token_id=pad_id,
        initializer_range=arch.init_std,
        rope_parameters={"rope_type": "default", "rope_theta": arch.rope_theta},
        attn_implementation="sdpa",
    )
    seed_torch(seed)
    model = LlamaForCausalLM(config).float()
    with torch.no_grad():
        model.get_input_embeddings().weight.normal_(0.0, arch.embedding_std)
        if arch.copying_start:
            for layer in model.model.layers:
                _start_copying(layer.self_attn)
        if arch.number_start > 0:
            embeddings_VD = model.get_input_embeddings().weight
            start_numbers(embeddings_VD, numbers or {}, std=arch.embedding_std, value_share=arch.number_start)
    return model


def _start_copying(attention: Any) -> None:
    """Output weights as the transposed value weights, head by head.

    What a head writes is then W^T W x of the token x that it looks at: along x, so that with tied embeddings the token's own
    logit rises. Random weights point anywhere, and copying has to be found first.
    """
    values = attention.v_proj.weight.unflatten(0, (-1, attention.head_dim))  # kv head, channel, width
    shared = attention.q_proj.out_features // attention.v_proj.out_features  # heads that read one kv head
    attention.o_proj.weight.copy_(values.repeat_interleave(shared, 0).flatten(0, 1).mT)


def load_model(folder: Path, *, device: str, dtype: str) -> Model:
    """A causal language model from a local folder with safetensors weights. Raises ValueError when it has none."""
    check_folder(folder)
    hf_logging.disable_progress_bar()  # a bar of its own per load would tear those of the study
    model = AutoModelForCausalLM.from_pretrained(
        str(folder),
        dtype=_dtype(dtype),
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        attn_implementation="sdpa",
    )
    return model.to(device)


def save_model(model: Model, tokenizer: Tokenizer, folder: Path) -> None:
    """Write model and tokenizer as a plain Hugging Face folder: config.json, model.safetensors, tokenizer.json, ..."""
    hf_logging.disable_progress_bar()
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))


def import_model(source: str, out: Path) -> None:
    """Copy a causal language model (local folder or hub id) into `out` as safetensors, tokenizer included.

    Raises ValueError for a folder without weights, pickle-only weights, an unknown hub id, or a hub that cannot be
    reached.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        folder = _download(source)
    check_folder(folder)
    tokenizer = load_tokenizer(folder)
    hf_logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        str(folder), dtype="auto", local_files_only=True, use_safetensors=True, trust_remote_code=False
    )
    save_model(model, tokenizer, out)


def _download(source: str) -> Path:
    """Fetch the safetensors, configuration and tokenizer files of a hub id into the hub cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    hint = "give a local folder with config.json and *.safetensors, or a hub id like 'EleutherAI/pythia-160m'"
    if source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise ValueError(f"model folder {source} does not exist; {hint}")
    try:
        return Path(snapshot_download(source, allow_patterns=list(MODEL_PATTERNS)))
    except GatedRepoError as error:
        raise ValueError(f"hub model {source!r} is gated: accept its licence on the hub and log in first") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ValueError(f"{source!r} is neither a local folder nor a model on the hub; {hint}") from error
    except (HfHubHTTPError, OSError) as error:
        raise ValueError(
            f"hub model {source!r} cannot be fetched ({type(error).__name__}: no network?); {hint}"
        ) from error


def count_parameters(model: Model) -> ParameterCount:
    """Parameters, tied weights once; non-embedding leaves out token embedding, output head and learned positions."""
    total = sum(parameter.numel() for parameter in model.parameters())
    return ParameterCount(total, total - sum(weight.numel() for weight in _embedding_weights(model).values()))


def _embedding_weights(model: Model) -> dict[int, torch.Tensor]:
    """Embedding tables and output head by identity, so that tied weights stand once."""
    head = model.get_output_embeddings()
    weights = [module.weight for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    if head is not None:
        weights.append(head.weight)
    return {id(weight): weight for weight in weights}


def forward_flops_per_token(model: Model) -> float:
    """Floating-point operations of one forward pass per token, 2 N with N the parameters of matrix products.

    N is the non-embedding count plus the output head (whose product is computed even where its weights are tied); the
    attention scores, which depend on the sequence length, are left out. Training costs three times as much.
    """
    head = model.get_output_embeddings()
    return 2.0 * (count_parameters(model).non_embedding + (0 if head is None else head.weight.numel()))


def count_trainable(model: Model) -> int:
    """Parameters that training moves: all, or a frozen model's adapters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def training_flops_per_token(model: Model) -> float:
    """Floating-point operations of one training step per token: forward, gradients of activations, and of weights.

    Three forward passes where all weights learn; the third is saved on frozen ones.
    """
    head = model.get_output_embeddings()
    tables = _embedding_weights(model)
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad and id(p) not in tables)
    if head is not None and head.weight.requires_grad:
        learning += head.weight.numel()
    return 2.0 * forward_flops_per_token(model) + 2.0 * learning


def _dtype(name: str) -> torch.dtype:
    if name not in DTYPES:
        raise ValueError(f"dtype {name!r} is not one of {', '.join(DTYPES)}")
    return DTYPES[name]
