"""LoRA with the real peft: what learns, what the merged folder is, and that no shortcut skips the adapters."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from composing import tiny

from rft.core.batching import example_steps
from rft.core.forward import hidden_states, runs_lean, target_loss_sum
from rft.core.lora import add_lora, merge_lora
from rft.core.model import (
    Model,
    count_parameters,
    count_trainable,
    forward_flops_per_token,
    load_model,
    training_flops_per_token,
)
from rft.core.tokenization import encode_examples
from rft.core.training import train
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.stages.finetune import Lora
from tests.core_families import tiny_gpt2, tiny_neox
from tests.core_tiny import ARCH, WORDS, settings, tiny_llama, tiny_tokenizer, toy_pairs
from tests.finetuning import finetuned, write_base

torch.set_num_threads(1)

LORA = Lora(rank=4, alpha=8)
IDS = torch.randint(0, len(WORDS), (3, 12), generator=torch.Generator().manual_seed(0))


def trained_adapters(model: Model, *, num_steps: int = 6) -> Model:
    adapted = add_lora(model, rank=4, alpha=8, seed=0)
    examples = encode_examples(tiny_tokenizer(), toy_pairs(24, seed=3), max_tokens=64)
    steps = example_steps(examples, batch_size=8, num_steps=num_steps, seed=0, micro_batch_tokens=256)
    train(adapted, steps, settings=settings(num_steps, lr=1e-2))
    return adapted


def test_adapters_learn_and_the_base_stays() -> None:
    model = tiny_llama()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    adapted = trained_adapters(model)
    after = {
        name.removeprefix("base_model.model.").replace(".base_layer", ""): weight
        for name, weight in adapted.state_dict().items()
        if "lora_" not in name
    }
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    moved = [weight for name, weight in adapted.named_parameters() if "lora_B" in name]
    assert len(moved) == 2 * 7  # every linear layer of two blocks, the head not
    assert all(float(weight.detach().abs().max()) > 0 for weight in moved)
    shapes = 2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 64)
    assert count_trainable(adapted) == 2 * 4 * shapes


@pytest.mark.parametrize("build", [tiny_llama, tiny_neox, tiny_gpt2])
def test_merged_weights_compute_what_the_adapters_computed(build) -> None:
    base = build().eval()(IDS).logits.detach()
    adapted = trained_adapters(build()).eval()
    expected = adapted(IDS).logits.detach()
    assert float((expected - base).abs().max()) > 1e-2
    merged = merge_lora(adapted)
    assert not any("lora" in name for name, _ in merged.named_modules())
    assert torch.allclose(merged(IDS).logits, expected, atol=1e-5)
    assert type(merged) is type(build())


def test_merged_weight_by_hand() -> None:
    adapted = add_lora(tiny_llama(), rank=4, alpha=12, seed=0)
    layer = adapted.get_base_model().model.layers[1].mlp.up_proj
    with torch.no_grad():
        layer.lora_B["default"].weight.normal_()
    a, b, base = (
        w.detach().clone() for w in (layer.lora_A["default"].weight, layer.lora_B["default"].weight, layer.weight)
    )
    assert a.shape == (4, 32)
    assert torch.allclose(merge_lora(adapted).model.layers[1].mlp.up_proj.weight, base + 12 / 4 * b @ a, atol=1e-6)


def test_no_shortcut_skips_the_adapters() -> None:
    """The lean path reads q_proj.weight itself: on an adapted model, wrapped or not, it would train nothing."""
    adapted = trained_adapters(tiny_llama())
    inner = adapted.get_base_model()
    logits = adapted(IDS).logits
    index, targets = torch.arange(36), IDS.flatten()
    expected = F.cross_entropy(logits.flatten(0, 1), targets, reduction="sum")
    for model in (adapted, inner):
        assert not runs_lean(model)
        assert torch.allclose(target_loss_sum(model, IDS, index, targets), expected, atol=1e-4)
        assert torch.allclose(inner.lm_head(hidden_states(model, IDS)), logits, atol=1e-5)
    assert runs_lean(merge_lora(adapted))


def test_the_loss_falls() -> None:
    arch = dataclasses.replace(
        ARCH, embedding_std=0.25, init_std=0.1
    )  # the tied head is frozen: it must tell words apart
    adapted = add_lora(tiny_llama(arch=arch), rank=8, alpha=16, seed=0)
    examples = encode_examples(tiny_tokenizer(), toy_pairs(100, seed=3), max_tokens=64)
    rows: list[dict] = []
    steps = example_steps(examples, batch_size=16, num_steps=30, seed=0, micro_batch_tokens=4096)
    train(adapted, steps, settings=settings(30, lr=1e-2), log=rows.append)
    assert rows[-1]["loss_nats"] < 0.9 * rows[0]["loss_nats"]


def test_the_stage_writes_a_plain_model_that_the_adapters_moved(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base")
    done, curve = finetuned(tmp_path, base=base, lr=1e-2, lora=LORA)
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert "model.safetensors" in files
    assert not any("adapter" in name for name in files)
    model, start = (load_model(folder, device="cpu", dtype="float32") for folder in (tmp_path / "out", base))
    assert runs_lean(model)
    assert [name for name, _ in model.named_parameters()] == [name for name, _ in start.named_parameters()]
    assert torch.equal(model.model.embed_tokens.weight, start.model.embed_tokens.weight)
    assert not torch.equal(model.model.layers[0].self_attn.q_proj.weight, start.model.layers[0].self_attn.q_proj.weight)
    assert curve[-1]["loss_nats"] < curve[0]["loss_nats"]
    whole = count_parameters(start).total
    assert 0 < done.facts.num_trainable < whole
    assert done.flops < 3 * forward_flops_per_token(start) * done.tokens


def test_full_fine_tuning_moves_all_parameters(tmp_path: Path) -> None:
    done, _ = finetuned(tmp_path)
    assert done.facts.num_trainable == count_parameters(tiny_llama()).total
    assert done.flops == 3 * forward_flops_per_token(tiny_llama()) * done.tokens


def test_work_of_a_step_by_hand() -> None:
    model = tiny_llama()
    products = count_parameters(model).total  # the tied head's product stands for the embedding
    assert training_flops_per_token(model) == 6 * products
    adapted = add_lora(model, rank=4, alpha=8, seed=0)
    adapters = count_trainable(adapted)
    assert training_flops_per_token(adapted) == 4 * (products + adapters) + 2 * adapters


def test_the_seed_decides_the_adapters(tmp_path: Path) -> None:
    def weights(name: str, seed: int) -> torch.Tensor:
        finetuned(tmp_path / name, seed=seed, lora=LORA)
        model = load_model(tmp_path / name / "out", device="cpu", dtype="float32")
        return torch.cat([parameter.flatten() for parameter in model.parameters()])

    first = weights("a", 0)
    torch.manual_seed(99)  # what others did with the global generator is no matter
    assert torch.equal(first, weights("b", 0))
    starts = []
    for seed in (0, 0, 1):
        adapted = add_lora(tiny_llama(), rank=4, alpha=8, seed=seed)
        starts.append(torch.cat([p.detach().flatten() for n, p in adapted.named_parameters() if "lora_A" in n]))
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])


def test_identity_holds_the_adapters_and_nothing_for_full_fine_tuning() -> None:
    def stage(*overrides: str):
        cfg = tiny("method=sft", *overrides)
        return plan(cfg, resolve(cfg)).read.trained.weights

    full, lora = stage(), stage("train.lora_rank=8")
    assert "lora" not in full.identity()["recipe"]
    assert "dtype" not in full.identity()["recipe"]
    assert lora.identity()["recipe"]["lora"]["alpha"] == 16
    assert lora.key == stage("train.lora_rank=8", "train.lora_alpha=16").key != full.key
    assert lora.key != stage("train.lora_rank=8", "train.lora_alpha=8").key
    assert lora.work.flops < full.work.flops


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.lora_rank=0"], r"train.lora_rank=0 is outside \[1, inf\): null"),
        (["train.lora_rank=4", "train.lora_alpha=0"], r"train.lora_alpha=0 is outside \[1, inf\): null"),
        (["train.lora_alpha=8"], "train.lora_alpha=8 means nothing without train.lora_rank"),
    ],
)
def test_settings_without_sense_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(*overrides)


def test_without_peft_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ValueError, match=r"\.\[lora\]"):
        add_lora(tiny_llama(), rank=4, alpha=8, seed=0)
    with pytest.raises(ValueError, match="at least 1"):
        add_lora(tiny_llama(), rank=0, alpha=8, seed=0)
