from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from rft.config import ArchConfig
from rft.core.losses import measure_loss, measure_text, window_spans
from rft.core.model import build_llama, count_parameters, forward_flops_per_token, import_model, load_model, save_model
from rft.core.tokenization import Prompt, encode_prompts, load_tokenizer, tokenizer_digest
from tests.core_tiny import ARCH, WORDS, tiny_llama, tiny_tokenizer

torch.set_num_threads(1)

NUM_WORDS = len(WORDS) + 3


def saved(folder: Path, *, pad: str | None = "<pad>") -> Path:
    save_model(tiny_llama(), tiny_tokenizer(pad=pad), folder)
    return folder


def test_parameter_count_by_hand() -> None:
    per_layer = 32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 64 + 2 * 32
    count = count_parameters(tiny_llama())
    assert count.non_embedding == 2 * per_layer + 32
    assert count.total == count.non_embedding + NUM_WORDS * 32  # the head is tied
    assert forward_flops_per_token(tiny_llama()) == 2 * count.total


def test_untied_heads_and_position_tables_are_embeddings() -> None:
    config = GPTNeoXConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        tie_word_embeddings=False,
    )
    model = GPTNeoXForCausalLM(config)
    count = count_parameters(model)
    assert count.total == sum(parameter.numel() for parameter in model.parameters())
    assert count.total - count.non_embedding == 2 * 50 * 16


def test_same_seed_same_weights() -> None:
    first, again, other = tiny_llama(seed=1), tiny_llama(seed=1), tiny_llama(seed=2)
    assert torch.equal(first.lm_head.weight, again.lm_head.weight)
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)


def context_advantage(arch: ArchConfig) -> float:
    """By how much the tokens seen lead the others in a new model's logits, in their standard deviations."""
    model = tiny_llama(arch=arch)
    ids = torch.randint(4, NUM_WORDS, (200, 6), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = model(ids).logits[:, -1]
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, ids[:, :-1], value=True)
    seen &= torch.arange(NUM_WORDS) != ids[:, -1:]  # the last token's own logit is high in any model with a tied head
    others = ~seen & (torch.arange(NUM_WORDS) != ids[:, -1:])
    return float((logits[seen].mean() - logits[others].mean()) / logits[others].std())


@pytest.mark.parametrize("num_kv_heads", [1, 2, 4])
def test_a_copying_start_favours_tokens_of_the_context(num_kv_heads: int) -> None:
    plain = replace(ARCH, num_heads=4, num_kv_heads=num_kv_heads, init_std=0.1, embedding_std=0.25)
    assert context_advantage(replace(plain, copying_start=True)) > 0.5
    assert abs(context_advantage(plain)) < 0.3


def test_a_copying_start_changes_output_projections_alone() -> None:
    plain, copying = tiny_llama(), tiny_llama(arch=replace(ARCH, copying_start=True))
    pairs = zip(plain.named_parameters(), copying.parameters(), strict=True)
    changed = [name for (name, before), after in pairs if not torch.equal(before, after)]
    assert changed == [f"model.layers.{n}.self_attn.o_proj.weight" for n in range(ARCH.num_layers)]


def test_save_and_load_give_the_same_logits(tmp_path: Path) -> None:
    ids = torch.arange(10)[None]
    model = load_model(saved(tmp_path), device="cpu", dtype="float32")
    assert torch.equal(model(ids).logits, tiny_llama()(ids).logits)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert {path.name for path in tmp_path.iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json"}
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.decode(tokenizer("q 3 = r 3")["input_ids"]) == "q 3 = r 3"


def test_import_copies_a_folder(tmp_path: Path) -> None:
    import_model(str(saved(tmp_path / "source")), tmp_path / "out")
    ids = torch.arange(10)[None]
    assert torch.equal(
        load_model(tmp_path / "out", device="cpu", dtype="float32")(ids).logits, tiny_llama()(ids).logits
    )


def test_a_tokenizer_without_padding_pads_with_its_end(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(saved(tmp_path, pad=None))
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 1


def test_unusable_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved(tmp_path / "model")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="has no weights"):
        import_model(str(folder), tmp_path / "out")
    (folder / "pytorch_model.bin").write_bytes(b"not read")
    with pytest.raises(ValueError, match="only pickle weights"):
        load_model(folder, device="cpu", dtype="float32")
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match=r"no config\.json"):
        import_model(str(folder), tmp_path / "out")
    with pytest.raises(ValueError, match="does not exist"):
        import_model("./no/such/folder", tmp_path / "out")
    with pytest.raises(ValueError, match="float8"):
        load_model(saved(tmp_path / "whole"), device="cpu", dtype="float8")


def test_a_hub_that_cannot_be_reached_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unreachable(*args: object, **kwargs: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(ValueError, match=r"'nobody/nothing' cannot be fetched .*hub id like"):
        import_model("nobody/nothing", tmp_path / "out")


def test_impossible_architectures_are_refused() -> None:
    with pytest.raises(ValueError, match="num_kv_heads"):
        build_llama(ArchConfig(1, 32, 4, 3, 64, 64, 0.02, 0.02, 1e4), vocab_size=9, seed=0, eos_id=1, pad_id=0)
    with pytest.raises(ValueError, match="even head size"):
        build_llama(ArchConfig(1, 36, 4, 4, 64, 64, 0.02, 0.02, 1e4), vocab_size=9, seed=0, eos_id=1, pad_id=0)


@pytest.mark.parametrize(("num_tokens", "window"), [(5, 8), (8, 8), (9, 8), (100, 8), (101, 16)])
def test_windows_score_every_token_once_with_half_a_window_of_context(num_tokens: int, window: int) -> None:
    spans = window_spans(num_tokens, window=window)
    assert [at for _, first, end in spans for at in range(first, end)] == list(range(num_tokens))
    assert all(0 <= start <= first < end and end - start <= window for start, first, end in spans)
    assert all(first - start >= window // 2 for start, first, _ in spans[1:])


def test_measured_loss_equals_brute_force() -> None:
    model = tiny_llama()
    tokens = np.random.default_rng(0).integers(0, NUM_WORDS, 77)
    mask = np.arange(77) % 3 == 0
    expected = []
    stream = [1, *tokens.tolist()]
    for start, first, end in window_spans(77, window=16):
        for at in range(first, end):  # one forward pass per token, nothing shared
            logits = model(torch.tensor([stream[start : at + 1]])).logits[0, -1]
            expected.append(F.cross_entropy(logits, torch.tensor(stream[at + 1])).item())
    measured = measure_loss(model, tokens, window=16, context_id=1, mask=mask, num_bytes=300, micro_batch_tokens=40)
    assert measured.loss_nats == pytest.approx(np.mean(expected), abs=1e-5)
    assert measured.determined_loss_nats == pytest.approx(np.mean(np.array(expected)[mask]), abs=1e-5)
    assert (measured.num_tokens, measured.num_determined) == (77, 26)
    assert measured.bits_per_byte == pytest.approx(np.sum(expected) / math.log(2) / 300, abs=1e-5)
    assert 0 < measured.se < 1
    whole = measure_loss(model, tokens, window=16, context_id=1)
    assert (whole.loss_nats, whole.determined_loss_nats) == (pytest.approx(measured.loss_nats, abs=1e-6), None)


def test_standard_error_matches_independent_windows() -> None:
    """Over many texts drawn alike the spread of the mean must be near the stated standard error."""
    model = tiny_llama()
    rng = np.random.default_rng(1)
    runs = [measure_loss(model, rng.integers(0, NUM_WORDS, 640), window=32, context_id=1) for _ in range(40)]
    spread = np.std([run.loss_nats for run in runs], ddof=1)
    assert 0.6 < np.mean([run.se for run in runs]) / spread < 1.6


def test_text_loss_counts_the_bytes_that_it_scores(tmp_path: Path) -> None:
    model, tokenizer = tiny_llama(), tiny_tokenizer()
    text = "q 3 4 = r 3 4 ; ans 4"
    full = measure_text(model, tokenizer, text, window=8, max_tokens=None)
    half = measure_text(model, tokenizer, text, window=8, max_tokens=5)
    assert full.bits_per_byte == pytest.approx(full.loss_nats * 10 / math.log(2) / len(text))
    assert half.num_tokens == 5
    assert half.bits_per_byte == pytest.approx(half.loss_nats * 5 / math.log(2) / len("q 3 4 = r"))


def test_a_prompt_is_its_tokens_alone() -> None:
    tokenizer = tiny_tokenizer()
    assert encode_prompts(tokenizer, [Prompt("q 3")]) == [[3, 11]]


def test_other_families_are_scored_by_their_own_modules() -> None:
    config = GPTNeoXConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    model = GPTNeoXForCausalLM(config).eval()
    tokens = np.random.default_rng(0).integers(0, 50, 12)
    stream = torch.tensor([[0, *tokens[:-1]]])
    expected = F.cross_entropy(model(stream).logits[0], torch.tensor(tokens)).item()
    assert measure_loss(model, tokens, window=12, context_id=0).loss_nats == pytest.approx(expected, abs=1e-5)
    assert ARCH.context == 128


@pytest.mark.parametrize("max_tokens", [None, 7, 8, 9, 10, 11])
def test_bits_per_byte_are_of_exactly_the_bytes_that_were_scored(tmp_path: Path, max_tokens: int | None) -> None:
    """Against one forward pass over the whole prefix: a byte-level tokenizer cuts the letters of this text in two."""
    from byte_model import write_byte_model

    folder, text = write_byte_model(tmp_path), "caf\u00e9 \u20ac5 na\u00efve"
    model, tokenizer = load_model(folder, device="cpu", dtype="float32").eval(), load_tokenizer(folder)
    found = measure_text(model, tokenizer, text, window=64, max_tokens=max_tokens)
    scored = text.encode()[: max_tokens or None]
    while True:  # whole characters alone
        try:
            scored.decode()
            break
        except UnicodeDecodeError:
            scored = scored[:-1]
    ids = [tokenizer.bos_token_id, *tokenizer(scored.decode(), add_special_tokens=False)["input_ids"]]
    with torch.no_grad():
        logs = torch.log_softmax(model(torch.tensor([ids])).logits[0, :-1].double(), -1)
    nats = -float(logs[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].sum())
    assert found.num_bytes == len(scored) == found.num_tokens  # one token a byte
    assert found.bits_per_byte == pytest.approx(nats / math.log(2) / len(scored), rel=1e-5)


def test_a_tokenizers_digest_is_of_how_it_cuts_texts_alone(tmp_path: Path) -> None:
    from byte_model import byte_tokenizer

    plain, padded, other = byte_tokenizer(), byte_tokenizer(), byte_tokenizer()
    padded.backend_tokenizer.enable_padding(length=50)
    padded.chat_template = "{{ messages }}"
    other.add_tokens(["nails"])
    assert tokenizer_digest(plain) == tokenizer_digest(padded)
    assert tokenizer_digest(plain) != tokenizer_digest(other)
