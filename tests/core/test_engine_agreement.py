"""CTranslate2 is taken only for models that it computes as transformers does; other models are refused, or go to torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from rft.core.sampling import ctranslate2_backend
from rft.core.sampling.agreement import TOLERANCE_NATS, Agreement
from rft.core.sampling.engines import Place, choose_engine, open_sampler
from rft.core.sampling.forms import disagreement
from rft.core.tokenization import Prompt, encode_prompts, load_tokenizer
from tests.byte_model import byte_tokenizer

torch.set_num_threads(1)

V = 257
IDS: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.3}
SIZES: dict[str, Any] = {
    "vocab_size": V, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, **IDS,
}  # fmt: skip
GPT2_SIZES: dict[str, Any] = {"vocab_size": V, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512, **IDS}
LINEAR = {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}
SCALED: dict[str, Any] = {"original_max_position_embeddings": 64, "rope_theta": 10_000.0, "factor": 8.0}
LLAMA3 = {"rope_type": "llama3", "low_freq_factor": 1.0, "high_freq_factor": 4.0, **SCALED}
YARN = {"rope_type": "yarn", **SCALED}

Made = Callable[..., Any]


def llama(**changes: Any) -> Any:
    return LlamaForCausalLM(LlamaConfig(**{**SIZES, **changes}))


def mistral(**changes: Any) -> Any:
    return MistralForCausalLM(MistralConfig(**{**SIZES, "sliding_window": None, **changes}))


def qwen2(**changes: Any) -> Any:
    return Qwen2ForCausalLM(Qwen2Config(**{**SIZES, **changes}))


def gpt2(**changes: Any) -> Any:
    return GPT2LMHeadModel(GPT2Config(**{**GPT2_SIZES, **changes}))


def neox(**changes: Any) -> Any:
    sizes = {name: value for name, value in SIZES.items() if name != "num_key_value_heads"}
    return GPTNeoXForCausalLM(GPTNeoXConfig(**{**sizes, **changes}))


AGREE: list[tuple[Made, dict[str, Any]]] = [
    (llama, {}),
    (llama, {"attention_bias": True, "mlp_bias": True}),
    (llama, {"rms_norm_eps": 1e-2}),
    (llama, {"tie_word_embeddings": True}),
    (llama, {"rope_parameters": LINEAR}),
    (llama, {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}),
    (llama, {"num_key_value_heads": 4}),
    (llama, {"vocab_size": V + 7}),
    (llama, {"vocab_size": V - 7}),
    (llama, {"max_position_embeddings": 40}),
    (mistral, {}),
    (mistral, {"head_dim": 16}),
    (mistral, {"sliding_window": 512}),
    (mistral, {"rope_parameters": LINEAR}),
    (mistral, {"vocab_size": V + 7}),
    (qwen2, {}),
    (qwen2, {"rope_parameters": LINEAR}),
    (qwen2, {"vocab_size": V + 7}),
    (gpt2, {}),
    (gpt2, {"activation_function": "relu"}),
    (gpt2, {"activation_function": "gelu"}),
    (gpt2, {"activation_function": "gelu_fast"}),
    (gpt2, {"activation_function": "gelu_pytorch_tanh"}),
    (gpt2, {"activation_function": "quick_gelu"}),
    (gpt2, {"activation_function": "silu"}),
    (gpt2, {"tie_word_embeddings": False}),
    (gpt2, {"n_inner": 40}),
    (gpt2, {"n_positions": 33}),
]

# What the files say, and whether the comparison sees it too (GPT-2's norm of 1e-6 is wrong by 6e-4 nats on this model)
DIFFER: list[tuple[Made, dict[str, Any], str, str]] = [
    (llama, {"rope_parameters": LLAMA3}, "rope_type is 'llama3'", "log probabilities differ"),
    (llama, {"rope_parameters": YARN}, "rope_type is 'yarn'", "cannot convert"),
    (llama, {"rope_parameters": {"rope_type": "dynamic", **SCALED}}, "rope_type is 'dynamic'", "cannot convert"),
    (llama, {"hidden_act": "gelu"}, "hidden_act is 'gelu'", "log probabilities differ"),
    (llama, {"head_dim": 16}, "head_dim is 16, but .* is 8", "cannot convert"),
    (mistral, {"hidden_act": "gelu"}, "hidden_act is 'gelu'", "log probabilities differ"),
    (mistral, {"sliding_window": 16}, "sliding_window is 16", "log probabilities differ"),
    (mistral, {"rope_parameters": LLAMA3}, "rope_type is 'llama3'", "cannot convert"),
    (qwen2, {"hidden_act": "gelu"}, "hidden_act is 'gelu'", "log probabilities differ"),
    (qwen2, {"rope_parameters": YARN}, "rope_type is 'yarn'", "cannot convert"),
    (qwen2, {"head_dim": 16}, "head_dim is 16, but .* is 8", "cannot convert"),
    (
        qwen2,
        {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 0},
        "use_sliding_window is True",
        "log probabilities differ",
    ),
    (gpt2, {"scale_attn_weights": False}, "scale_attn_weights is False", "log probabilities differ"),
    (gpt2, {"scale_attn_by_inverse_layer_idx": True}, "inverse_layer_idx is True", "log probabilities differ"),
    (gpt2, {"layer_norm_epsilon": 0.1}, "layer_norm_epsilon is 0.1", "log probabilities differ"),
    (gpt2, {"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon is 1e-06", ""),
    (gpt2, {"activation_function": "tanh"}, "activation_function is 'tanh'", "cannot convert"),
    (gpt2, {"vocab_size": V + 7}, "vocab_size is 264, but .* 257 tokens", "cannot convert"),
    (mistral, {"vocab_size": V - 7}, "vocab_size is 250, but .* 257 tokens", "cannot convert"),
    (neox, {}, "GPT-NeoX", "cannot convert"),
    (neox, {"use_parallel_residual": False}, "GPT-NeoX", "cannot convert"),
]


def name_of(case: Any) -> str:
    if isinstance(case, str):
        return ""
    if callable(case):
        return case.__name__
    return " ".join(f"{k}={v.get('rope_type') if isinstance(v, dict) else v}" for k, v in case.items()) or "plain"


def written(folder: Path, model: Any, *, tokenizer: Any = None) -> Path:
    """With norms that are not all ones, so that where they stand counts."""
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 1:
                weight.add_(torch.randn_like(weight) * 0.2)
    model.save_pretrained(folder)
    (tokenizer or byte_tokenizer()).save_pretrained(folder)
    return folder


def made(make: Made, changes: dict[str, Any], folder: Path) -> Path:
    torch.manual_seed(5)
    return written(folder, make(**changes))


def converted(folder: Path, out: Path) -> Agreement:
    ctranslate2_backend.convert(folder, out, tokenizer=load_tokenizer(folder), threads=1)
    return Agreement(**json.loads((out / "agreement.json").read_text()))


@pytest.mark.parametrize(("make", "changes"), AGREE, ids=name_of)
def test_forms_that_agree(tmp_path: Path, make: Made, changes: dict[str, Any]) -> None:
    folder = made(make, changes, tmp_path / "model")
    assert choose_engine("auto", folder, device="cpu").engine == "ctranslate2"
    assert choose_engine("ctranslate2", folder, device="cpu").engine == "ctranslate2"
    found = converted(folder, tmp_path / "converted")
    context = changes.get("max_position_embeddings", changes.get("n_positions", 512))
    assert found.num_tokens == min(256, context)
    assert found.gap_nats < TOLERANCE_NATS / 20


@pytest.mark.parametrize(("make", "changes", "reason", "on_opening"), DIFFER, ids=name_of)
def test_forms_that_differ(tmp_path: Path, make: Made, changes: dict[str, Any], reason: str, on_opening: str) -> None:
    folder = made(make, changes, tmp_path / "model")
    assert choose_engine("auto", folder, device="cpu").engine == "torch"
    with pytest.raises(
        ValueError, match=rf"sampling.engine=ctranslate2 cannot serve .*{reason}.*sampling.engine=torch"
    ):
        choose_engine("ctranslate2", folder, device="cpu")
    if on_opening:
        with pytest.raises(ValueError, match=rf"(?s){on_opening}.*sampling.engine=torch"):
            open_sampler("ctranslate2", folder, Place(device="cpu", threads=1, dtype="float32"))


def test_the_table_says_the_same_of_files_in_the_older_spelling(tmp_path: Path) -> None:
    """Before transformers 5: `rope_scaling` with `type`, theta beside it, and fields left out at their defaults."""
    base = {"architectures": ["LlamaForCausalLM"], "hidden_size": 32, "num_attention_heads": 4}
    windows = {"architectures": ["MistralForCausalLM"], "max_position_embeddings": 32768}

    def said(**config: Any) -> str | None:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        return disagreement(folder)

    assert said(**base) is None
    assert said(**base, rope_scaling={"type": "linear", "factor": 2.0}) is None
    assert "llama3" in str(said(**base, rope_scaling={"rope_type": "llama3"}))
    assert "quantized" in str(said(**base, quantization_config={"quant_method": "awq"}))
    assert "sliding_window is 4096" in str(said(**windows))  # the default of a Mistral that does not say
    assert said(**windows, sliding_window=None) is None
    assert "knows no MambaForCausalLM" in str(said(architectures=["MambaForCausalLM"]))


def with_gap(gap: int) -> Any:
    """A byte-level tokenizer whose ids jump after the hundredth token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {"<eos>": 0} | {token: i + 1 + (gap if i > 100 else 0) for i, token in enumerate(alphabet)}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>", bos_token="<eos>")


def test_tokenizers_with_gaps_in_their_ids(tmp_path: Path) -> None:
    folder = written(tmp_path / "gap", llama(vocab_size=V + 7), tokenizer=with_gap(7))
    assert choose_engine("auto", folder, device="cpu").engine == "torch"
    with pytest.raises(ValueError, match="no token has the id 102, the highest is 263"):
        choose_engine("ctranslate2", folder, device="cpu")
    with pytest.raises(ValueError, match="257 tokens with ids up to 263: use"):
        open_sampler("ctranslate2", folder, Place(device="cpu", threads=1, dtype="float32"))


def word_tokenizer() -> Any:
    """As a user makes one: without Qwen2's own `<|endoftext|>`, which transformers adds when it loads it for a Qwen2."""
    backend = Tokenizer(models.WordLevel({f"w{i}": i for i in range(60)} | {"<eos>": 60}, unk_token="<eos>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>")


def test_a_token_that_transformers_adds_on_loading_is_counted_before_anything_runs(tmp_path: Path) -> None:
    folder = written(tmp_path / "model", qwen2(vocab_size=61), tokenizer=word_tokenizer())
    assert choose_engine("auto", folder, device="cpu").engine == "torch"
    with pytest.raises(ValueError, match="vocab_size is 61, but its tokenizer has 62 tokens"):
        choose_engine("ctranslate2", folder, device="cpu")
    with pytest.raises(ValueError, match=r"cannot convert.*size 62"):
        converted(folder, tmp_path / "converted")
    roomy = written(tmp_path / "roomy", qwen2(vocab_size=64), tokenizer=word_tokenizer())
    assert choose_engine("auto", roomy, device="cpu").engine == "ctranslate2"
    assert converted(roomy, tmp_path / "copy").gap_nats < TOLERANCE_NATS / 20


def test_added_tokens_count_as_ids(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|a|>", "<|b|>"]})
    folder = written(tmp_path / "model", llama(vocab_size=V + 5), tokenizer=tokenizer)
    assert choose_engine("auto", folder, device="cpu").engine == "ctranslate2"
    assert converted(folder, tmp_path / "converted").gap_nats < TOLERANCE_NATS / 20


def test_an_architecture_outside_the_table_is_compared_on_opening(tmp_path: Path) -> None:
    config = OPTConfig(
        vocab_size=264, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=48, word_embed_proj_dim=32,
        max_position_embeddings=512, bos_token_id=0, eos_token_id=0, pad_token_id=0, init_std=0.3,
    )  # fmt: skip
    torch.manual_seed(5)
    folder = written(tmp_path / "model", OPTForCausalLM(config))
    assert choose_engine("auto", folder, device="cpu").engine == "torch"
    assert choose_engine("ctranslate2", folder, device="cpu").engine == "ctranslate2"
    assert converted(folder, tmp_path / "converted").gap_nats < TOLERANCE_NATS


def test_names_of_architectures_stand_for_their_plain_form() -> None:
    assert choose_engine("auto", "LlamaForCausalLM", device="cpu").engine == "ctranslate2"
    assert choose_engine("ctranslate2", "LlamaForCausalLM", device="cpu").engine == "ctranslate2"
    assert choose_engine("auto", "GPTNeoXForCausalLM", device="cpu").engine == "torch"


def test_a_folder_that_changes_is_read_again(tmp_path: Path) -> None:
    folder = made(llama, {}, tmp_path / "model")
    assert choose_engine("auto", folder, device="cpu").engine == "ctranslate2"
    made(llama, {"rope_parameters": LLAMA3}, folder)
    assert choose_engine("auto", folder, device="cpu").engine == "torch"


PROMPTS = [Prompt(text) for text in ("Question: Ann has 13 red nails. " * 3 + "Answer:", "Q: 12+3=", "abc " * 40)]


def samples(folder: Path) -> Any:
    sampler = open_sampler("ctranslate2", folder, Place(device="cpu", threads=1, dtype="float32"))
    drawn = sampler.sample(
        PROMPTS, num_draws=4, temperature=1.0, top_p=0.95, max_new_tokens=20, stop=[], seed=3
    )  # fmt: skip
    sampler.close()
    return drawn


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_comparison_changes_neither_the_copy_nor_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    from ctranslate2.converters import TransformersConverter

    folder = made(lambda: llama().to(dtype), {}, tmp_path / "model")
    compared = samples(folder)
    converted(folder, tmp_path / "new")
    TransformersConverter(str(folder)).convert(str(tmp_path / "plain"))
    for name in ("model.bin", "vocabulary.json"):
        assert (tmp_path / "new" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    monkeypatch.setattr(ctranslate2_backend, "measure_agreement", lambda *_, **__: Agreement(0, 0.0))
    assert samples(folder) == compared


def test_an_engine_that_is_taken_writes_what_transformers_writes(tmp_path: Path) -> None:
    """Greedy, token by token, without cache or batch."""
    folder = made(llama, {"rope_parameters": LINEAR}, tmp_path / "model")
    sampler = open_sampler("ctranslate2", folder, Place(device="cpu", threads=1, dtype="float32"))
    options = {"num_draws": 1, "temperature": 0.0, "top_p": 1.0, "max_new_tokens": 24, "stop": [], "seed": 0}
    found = [group[0].text for group in sampler.sample(PROMPTS, **options)]
    tokenizer = load_tokenizer(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    expected = []
    for prompt in encode_prompts(tokenizer, PROMPTS):
        ids = list(prompt)
        while len(ids) < len(prompt) + 24 and (len(ids) == len(prompt) or ids[-1] != 0):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        expected.append(tokenizer.decode(ids[len(prompt) :], skip_special_tokens=True))
    assert found == expected


def test_a_gap_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nan nats on 256 tokens"):
        Agreement(256, float("nan")).check(tmp_path)
