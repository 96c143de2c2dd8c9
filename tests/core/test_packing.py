"""Packed rows: the same loss, gradients and weights as one example a row, or a refusal."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from composing import composed

from rft.core import batching
from rft.core.accumulation import accumulate
from rft.core.batching import cut_step, example_steps, pack
from rft.core.forward import block_mask, runs_lean
from rft.core.lora import add_lora
from rft.core.model import Model
from rft.core.packing import check_packing
from rft.core.tokenization import Encoded, encode_examples
from rft.core.training import train
from rft.plan.cell import plan
from rft.plan.sources import resolve
from tests.core_families import tiny_bloom, tiny_gpt2, tiny_mistral, tiny_mpt, tiny_neox
from tests.core_tiny import settings, tiny_llama, tiny_tokenizer, toy_pairs
from tests.finetuning import finetuned, write_base

torch.set_num_threads(1)


def examples(count: int = 24) -> list[Encoded]:
    return encode_examples(tiny_tokenizer(), toy_pairs(count, seed=3), max_tokens=64)


def rough(model: Model) -> Model:
    """Weights far from their start, where attending to the wrong token would cost nothing."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def adapted_llama() -> Model:
    """A Llama on Hugging Face's path."""
    return add_lora(rough(tiny_llama()), rank=4, alpha=8, seed=0)


BUILDS = [tiny_llama, adapted_llama, tiny_neox, tiny_gpt2, lambda: tiny_mistral(window=64), tiny_mpt]
NAMES = ["llama, lean", "llama, adapters", "gpt_neox", "gpt2", "mistral", "mpt"]
IDS = torch.randint(0, 28, (3, 12), generator=torch.Generator().manual_seed(0))


def loss_and_gradient(model: Model, *, packing: bool, tokens: int) -> tuple[float, torch.Tensor]:
    step = cut_step(examples(), micro_batch_tokens=tokens, packing=packing)
    loss = accumulate(model, step).nats()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    model.zero_grad()
    return loss, gradient


@pytest.mark.parametrize("build", BUILDS, ids=NAMES)
def test_packing_changes_neither_loss_nor_gradient(build) -> None:
    model = rough(build())
    assert runs_lean(model) == (build is tiny_llama)
    check_packing(model, examples())
    expected, gradient = loss_and_gradient(model, packing=False, tokens=1)  # one by one, without padding
    for tokens in (1, 60, 4096):
        loss, packed = loss_and_gradient(model, packing=True, tokens=tokens)
        assert loss == pytest.approx(expected, abs=1e-5)
        assert float((packed - gradient).abs().max()) < 1e-5 * max(1.0, float(gradient.abs().max()))


@pytest.mark.parametrize("build", BUILDS, ids=NAMES)
def test_accumulation_padding_and_packing_lead_to_the_same_weights(build) -> None:
    start, weights, logits = rough(build()), [], []
    for packing, tokens in ((False, 1), (False, 4096), (True, 40), (True, 4096)):
        model = copy.deepcopy(start)
        steps = example_steps(
            examples(48), batch_size=16, num_steps=3, seed=0, micro_batch_tokens=tokens, packing=packing
        )
        result = train(model, steps, settings=settings(3))
        assert result.target_tokens == sum(e.num_targets for e in examples(48))
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad]))
        logits.append(model.eval()(IDS).logits.detach())
    before = torch.cat([p.detach().flatten() for p in start.parameters() if p.requires_grad])
    assert float((weights[0] - before).abs().max()) > 1e-3
    for other, seen in zip(weights[1:], logits[1:], strict=True):
        gaps = (
            weights[0] - other
        ).abs()  # AdamW makes steps even of rounding, where the gradient is 0 (biases of keys)
        assert float(gaps.mean()) < 1e-6
        assert float((gaps > 1e-4).float().mean()) < 1e-3
        assert torch.allclose(seen, logits[0], atol=1e-4)


def test_each_example_is_packed_once_and_rows_are_fewer() -> None:
    chosen = examples(60)
    width = max(len(example.ids) - 1 for example in chosen)
    rows = pack(chosen, width=width)
    assert sorted(e.ids for row in rows for e in row) == sorted(e.ids for e in chosen)
    assert all(sum(len(example.ids) - 1 for example in row) <= width for row in rows)
    assert len(rows) < len(chosen)
    (step,) = example_steps(chosen, batch_size=60, num_steps=1, seed=0, micro_batch_tokens=4 * width, packing=True)
    assert all(part.inputs_BT.numel() <= 4 * width for part in step)
    read = sum(part.inputs_BT.numel() for part in step)
    assert sum(len(e.ids) - 1 for e in chosen) <= read < len(chosen) * width


def test_no_example_sees_another() -> None:
    positions = torch.tensor([[0, 1, 0, 1, 2, 0, 0]])  # two examples and two tokens of padding
    seen = block_mask(positions, dtype=torch.float32)[0, 0] == 0
    expected = torch.block_diag(torch.ones(2, 2), torch.ones(3, 3), torch.ones(1), torch.ones(1)).tril().bool()
    assert torch.equal(seen, expected)


@pytest.mark.parametrize("build", [lambda: tiny_mistral(window=4), tiny_bloom], ids=["window", "no 4-D mask"])
def test_a_model_that_cannot_keep_examples_apart_is_refused(build) -> None:
    with pytest.raises(ValueError, match=r"runtime.packing=true does not suit .* use runtime.packing=false"):
        check_packing(rough(build()), examples())


def test_the_stage_packs_and_its_identity_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, padded = finetuned(tmp_path / "padded")
    steps = []
    monkeypatch.setattr(
        batching, "example_steps", lambda *a, **kw: (steps.append(step) or step for step in example_steps(*a, **kw))
    )
    _, packed = finetuned(tmp_path / "packed", runtime=("runtime.packing=true",))
    assert len(steps) == len(packed) > 1
    assert all(int((part.positions_BT == 0).sum()) > len(part.inputs_BT) for step in steps for part in step)
    assert [row["loss_nats"] for row in packed] == pytest.approx([row["loss_nats"] for row in padded], abs=1e-5)
    keys = []
    for overrides in ([], ["runtime.packing=true"]):
        cfg = composed("method=sft", *overrides)
        keys.append(plan(cfg, resolve(cfg)).read.trained.weights.key)
    assert keys[0] == keys[1]


def test_the_stage_refuses_to_pack_for_a_model_that_cannot(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", model=rough(tiny_mistral(window=4)))
    with pytest.raises(ValueError, match=r"packing=true does not suit the model type 'mistral'"):
        finetuned(tmp_path, base=base, runtime=("runtime.packing=true",))


def test_packed_rows_in_mixed_precision() -> None:
    model = rough(tiny_llama())
    step = cut_step(examples(4), micro_batch_tokens=4096, packing=True)
    expected = accumulate(model, step).nats()
    assert step[0].positions_BT is not None
    assert accumulate(model, step, autocast="bfloat16").nats() == pytest.approx(expected, rel=0.02)
