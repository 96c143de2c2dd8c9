"""Which models CTranslate2 is known to compute as transformers does, told from the files of a folder, before anything runs.

    disagreement(folder)       # None, or "rope_type is 'llama3', which CTranslate2 computes as ('default', 'linear')"
    is_known(folder)           # True: an architecture of the table, and no file of the folder speaks against it

The table holds what tests/core/test_engine_agreement.py has compared; an architecture outside it may agree, which opening a
sampler finds out (`rft.core.sampling.agreement`). Reads config.json and tokenizer.json alone, without torch; only where
one token more would make the difference is the tokenizer loaded.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.core.checkpoints import CONFIG_FILE
from rft.core.context import context_of

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
ROPE_TYPES = ("default", "linear")
GELUS_AND_OTHERS = ("gelu_new", "gelu", "gelu_fast", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu")


@dataclass(frozen=True)
class Form:
    """What config.json may say. A field that is absent has transformers' default, which agrees where a field is listed."""

    fields: Mapping[str, tuple[Any, ...]]  # values that agree
    reads_head_size: bool = False  # else it is taken to be hidden size / heads
    pads_vocabulary: bool = True  # where the model has more rows than there are tokens
    cuts_vocabulary: bool = False  # where it has fewer
    window: str | None = None  # field of a window that is always on; CTranslate2's own is another one
    default_window: int | None = None


FORMS = {
    "LlamaForCausalLM": Form({"hidden_act": ("silu",)}, cuts_vocabulary=True),
    "MistralForCausalLM": Form(
        {"hidden_act": ("silu",)}, reads_head_size=True, window="sliding_window", default_window=4096
    ),
    "Qwen2ForCausalLM": Form({"hidden_act": ("silu",), "use_sliding_window": (False,)}),
    "GPT2LMHeadModel": Form(
        {
            "activation_function": GELUS_AND_OTHERS,
            "scale_attn_weights": (True,),
            "scale_attn_by_inverse_layer_idx": (False,),
            "layer_norm_epsilon": (1e-5,),
            "add_cross_attention": (False,),
        },
        pads_vocabulary=False,
    ),
}
REFUSED = {
    "GPTNeoXForCausalLM": "CTranslate2's converter cannot read the configuration of a GPT-NeoX model",
    "PhiForCausalLM": "CTranslate2's converter cannot read the configuration of a Phi model",
}
# Further causal architectures that CTranslate2's converter has a loader for; whether they agree is found on opening
CONVERTED = frozenset(
    f"{name}ForCausalLM" for name in ("Bloom", "CodeGen", "Falcon", "GPTBigCode", "GPTJ", "Mpt", "OPT", "Phi3", "Qwen3")
) | {f"Gemma{version}For{head}" for version in ("", "2", "3", "4") for head in ("CausalLM", "ConditionalGeneration")}


def is_known(model: Path | str) -> bool:
    """Whether a model folder is of a form that agrees. The name of an architecture stands for its plain form."""
    if not (Path(model) / CONFIG_FILE).is_file():
        return model in FORMS
    return _architecture(_config(Path(model))) in FORMS and disagreement(Path(model)) is None


def disagreement(folder: Path) -> str | None:
    """Why CTranslate2 would compute another function than transformers; None where nothing in the files says so."""
    files = [path for path in (folder / name for name in (CONFIG_FILE, *TOKENIZER_FILES)) if path.is_file()]
    return _disagreement(folder, tuple((stat.st_mtime_ns, stat.st_size) for stat in (path.stat() for path in files)))


@functools.lru_cache(maxsize=256)
def _disagreement(folder: Path, stamps: tuple[tuple[int, int], ...]) -> str | None:  # noqa: ARG001
    """Remembered by the state of the files: every cell of a sweep asks, and a tokenizer's file takes a moment to read."""
    config = _config(folder)
    name = _architecture(config)
    if name in REFUSED:
        return REFUSED[name]
    if name not in FORMS:
        return (
            None if name in CONVERTED else f"CTranslate2's converter knows no {name or 'model without architectures'}"
        )
    return _in_config(config, FORMS[name], context=context_of(folder)) or _in_tokenizer(
        folder, FORMS[name], num_rows=config.get("vocab_size")
    )


def _in_config(config: Mapping[str, Any], form: Form, *, context: int | None) -> str | None:
    for field, allowed in form.fields.items():
        if config.get(field, allowed[0]) not in allowed:
            return f"{field} is {config[field]!r}, which CTranslate2 computes only as {_listed(allowed)}"
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    rope_type = rope.get("rope_type") or rope.get("type") or "default"
    if rope_type not in ROPE_TYPES:
        return f"rope_type is {rope_type!r}, which CTranslate2 computes only as {_listed(ROPE_TYPES)}"
    if config.get("quantization_config"):
        return "its weights are quantized"
    heads, head_size = config.get("num_attention_heads"), config.get("head_dim")
    if head_size and heads and not form.reads_head_size and head_size * heads != config["hidden_size"]:
        return f"head_dim is {head_size}, but hidden_size / num_attention_heads is {config['hidden_size'] / heads:g}"
    window = config.get(form.window, form.default_window) if form.window else None
    if window is not None and (context is None or window < context):
        return f"{form.window} is {window}, shorter than the context of {context}"
    return None


def _in_tokenizer(folder: Path, form: Form, *, num_rows: int | None) -> str | None:
    """CTranslate2 numbers the tokens anew, in order and without gaps."""
    ids = _token_ids(folder)
    if not ids:
        return None
    if ids != set(range(len(ids))):
        missing = min(set(range(len(ids))) - ids)
        return f"the ids of its tokenizer have gaps (no token has the id {missing}, the highest is {max(ids)})"
    count = len(ids)
    if count == num_rows and not form.cuts_vocabulary:  # one more than the files list would be too many
        count = _num_loaded(folder)
    extra = 0 if num_rows is None else num_rows - count
    if (extra > 0 and not form.pads_vocabulary) or (extra < 0 and not form.cuts_vocabulary):
        return f"vocab_size is {num_rows}, but its tokenizer has {count} tokens"
    return None


def _num_loaded(folder: Path) -> int:
    """Tokens once transformers has loaded the tokenizer: the class of an architecture may add a token of its own that the
    files lack (Qwen2's `<|endoftext|>`)."""
    from rft.core.tokenization import load_tokenizer

    return len(load_tokenizer(folder).get_vocab())


def _token_ids(folder: Path) -> set[int]:
    """All ids of a fast tokenizer; none where the folder has another kind."""
    whole, settings = (_read(folder / name) for name in TOKENIZER_FILES)
    vocabulary = whole.get("model", {}).get("vocab")
    if vocabulary is None:
        return set()
    ids = set(vocabulary.values()) if isinstance(vocabulary, dict) else set(range(len(vocabulary)))
    ids |= {token["id"] for token in whole.get("added_tokens") or ()}
    return ids | {int(number) for number in settings.get("added_tokens_decoder") or ()}


def _config(folder: Path) -> dict[str, Any]:
    return _read(folder / CONFIG_FILE)


def _architecture(config: Mapping[str, Any]) -> str:
    return str((config.get("architectures") or [""])[0])


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def _listed(values: tuple[Any, ...]) -> str:
    return " or ".join(repr(value) for value in values)
