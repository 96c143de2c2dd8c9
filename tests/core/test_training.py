from __future__ import annotations

import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rft.config import ArchConfig
from rft.core.accumulation import accumulate
from rft.core.batching import bucket, epoch_order, example_steps, packed_steps
from rft.core.divergence import TrainingDivergedError
from rft.core.forward import hidden_states, runs_lean, target_loss_sum
from rft.core.fused_norms import fused_norm, fused_norms, plain_norms
from rft.core.tokenization import Encoded, Prompt, encode_examples
from rft.core.training import learning_rate, make_optimizers, train
from tests.core_tiny import settings, tiny_llama, tiny_tokenizer, toy_pairs

torch.set_num_threads(1)

GQA = ArchConfig(
    num_layers=2,
    width=48,
    num_heads=6,
    num_kv_heads=2,
    mlp_width=80,
    context=128,
    init_std=0.02,
    embedding_std=0.02,
    rope_theta=200.0,
)


def encoded_toys(count: int = 24, *, pad: str | None = "<pad>") -> list[Encoded]:
    return encode_examples(tiny_tokenizer(pad=pad), toy_pairs(count, seed=3), max_tokens=64)


def gradients(model: torch.nn.Module) -> list[torch.Tensor]:
    found = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    return found


def largest_gap(first: list[torch.Tensor], second: list[torch.Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(first, second, strict=True))


def roughened(model: torch.nn.Module) -> torch.nn.Module:
    """Norm weights away from 1, and larger matrices: at initialisation many mistakes cost nothing."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.3 * noise if parameter.ndim == 1 else 0.1 * noise)
    return model


@pytest.mark.parametrize("arch", [GQA, dataclasses.replace(GQA, num_kv_heads=6, num_heads=6)])
def test_lean_forward_equals_hugging_face_in_loss_and_gradients(arch: ArchConfig) -> None:
    model = roughened(tiny_llama(arch=arch))
    model.model.embed_tokens.padding_idx = None
    ids = torch.randint(0, 28, (5, 40), generator=torch.Generator().manual_seed(0))
    index, targets = torch.arange(3, 200, 2), torch.randint(0, 28, (99,), generator=torch.Generator().manual_seed(1))
    assert runs_lean(model)
    target_loss_sum(model, ids, index, targets).backward()
    ours = gradients(model)
    logits = model(ids).logits.flatten(0, 1)
    F.cross_entropy(logits[index], targets, reduction="sum").backward()
    theirs = gradients(model)
    scale = max(float(grad.abs().max()) for grad in theirs)
    assert largest_gap(ours, theirs) < 1e-5 * scale
    assert torch.allclose(model.lm_head(hidden_states(model, ids)).flatten(0, 1), logits, atol=1e-4)


def test_hidden_states_are_causal() -> None:
    model = roughened(tiny_llama())
    ids = torch.randint(0, 28, (1, 30), generator=torch.Generator().manual_seed(0))
    changed = ids.clone()
    changed[0, 20] = (changed[0, 20] + 1) % 28
    before, after = hidden_states(model, ids), hidden_states(model, changed)
    assert torch.equal(before[0, :20], after[0, :20])
    assert not torch.allclose(before[0, 20:], after[0, 20:])


def test_loss_covers_the_response_and_its_end_only() -> None:
    example = encode_examples(tiny_tokenizer(), [(Prompt("q 3 4 ="), "r 3 ; ans 4")], max_tokens=64)[0]
    (step,) = example_steps([example], batch_size=1, num_steps=1, seed=0, micro_batch_tokens=64)
    assert step[0].targets_N.tolist() == list(example.ids[example.num_prompt :])
    assert step[0].targets_N[-1] == 1
    assert step[0].index_N.tolist() == list(range(example.num_prompt - 1, len(example.ids) - 1))


def test_end_of_sequence_stays_in_the_loss_when_it_is_the_padding_too() -> None:
    model = roughened(tiny_llama())
    apart, shared = encoded_toys(), encoded_toys(pad=None)
    tokenizer = tiny_tokenizer(pad=None)
    tokenizer.pad_token = tokenizer.eos_token
    losses = []
    for examples in (apart, shared):
        (step,) = example_steps(examples, batch_size=24, num_steps=1, seed=0, micro_batch_tokens=4096)
        ends = sum(int((part.targets_N == 1).sum()) for part in step)
        assert ends == 24
        losses.append(accumulate(model, step).nats())
    assert losses[0] == losses[1]


@pytest.mark.parametrize("tokens", [1, 40, 100, 100_000])
def test_micro_batches_and_padding_change_neither_loss_nor_gradient(tokens: int) -> None:
    model = roughened(tiny_llama())
    examples = encoded_toys()
    reference = torch.zeros(())
    for example in examples:  # one by one, unpadded, by Hugging Face's own forward
        logits = model(torch.tensor([example.ids[:-1]])).logits[0]
        first = example.num_prompt
        reference = reference + F.cross_entropy(logits[first - 1 :], torch.tensor(example.ids[first:]), reduction="sum")
    reference = reference / sum(example.num_targets for example in examples)
    reference.backward()
    expected = gradients(model)
    (step,) = example_steps(examples, batch_size=24, num_steps=1, seed=0, micro_batch_tokens=tokens)
    loss = accumulate(model, step).nats()
    assert loss == pytest.approx(reference.item(), abs=1e-5)
    assert largest_gap(gradients(model), expected) < 1e-5


def test_micro_batches_do_not_change_trained_weights() -> None:
    examples = encoded_toys(48)
    weights = []
    for tokens in (60, 4096):
        model = tiny_llama()
        steps = example_steps(examples, batch_size=16, num_steps=6, seed=0, micro_batch_tokens=tokens)
        train(model, steps, settings=settings(6))
        weights.append([parameter.detach() for parameter in model.parameters()])
    assert largest_gap(*weights) < 1e-4


def test_same_seed_same_weights_and_another_seed_others() -> None:
    def run(seed: int) -> torch.Tensor:
        model = tiny_llama()
        steps = example_steps(encoded_toys(), batch_size=8, num_steps=5, seed=seed, micro_batch_tokens=256)
        train(model, steps, settings=settings(5))
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    assert torch.equal(run(0), run(0))
    assert not torch.equal(run(0), run(1))


def test_training_learns_and_logs_each_step() -> None:
    rows: list[dict] = []
    seen: list[tuple[int, int]] = []
    steps = example_steps(encoded_toys(200), batch_size=16, num_steps=40, seed=0, micro_batch_tokens=4096)
    result = train(tiny_llama(), steps, settings=settings(40), log=rows.append, progress=lambda *at: seen.append(at))
    assert [row["step"] for row in rows] == list(range(1, 41))
    assert seen[-1] == (40, 40)
    assert set(rows[0]) == {"step", "loss_nats", "lr", "target_tokens", "elapsed_s"}
    assert rows[0]["loss_nats"] == pytest.approx(math.log(28), abs=0.3)
    assert rows[-1]["loss_nats"] < 0.75 * rows[0]["loss_nats"]
    assert result.target_tokens == rows[-1]["target_tokens"]


def test_schedules() -> None:
    cosine = settings(100, lr=1.0)
    assert [learning_rate(step, cosine) for step in (0, 9, 10, 55, 99)] == pytest.approx(
        [0.1, 1.0, 1.0, 0.5, 0.5 * (1 + math.cos(math.pi * 89 / 90))]
    )
    linear = settings(100, lr=1.0, schedule="linear")
    assert [learning_rate(step, linear) for step in (4, 10, 55)] == pytest.approx([0.5, 1.0, 0.5])
    constant = settings(100, lr=1.0, schedule="constant", warmup_frac=0.0)
    assert {learning_rate(step, constant) for step in range(100)} == {1.0}


def test_every_pass_visits_every_example_once() -> None:
    order = epoch_order(7, seed=1)
    passes = [[next(order) for _ in range(7)] for _ in range(3)]
    assert [sorted(one) for one in passes] == [list(range(7))] * 3
    assert passes[0] != passes[1]


def test_buckets_keep_to_the_budget() -> None:
    examples = encoded_toys(60)
    groups = bucket(examples, micro_batch_tokens=80)
    assert sorted(len(example.ids) for group in groups for example in group) == sorted(len(e.ids) for e in examples)
    assert all(len(group) == 1 or len(group) * max(len(e.ids) - 1 for e in group) <= 80 for group in groups)


def test_packed_sequences_cover_the_corpus_and_repeat_with_the_seed() -> None:
    tokens = np.arange(101, dtype=np.int32)
    steps = list(packed_steps(tokens, sequence=10, batch_tokens=20, num_steps=5, seed=0, micro_batch_tokens=10))
    assert all(len(step) == 2 for step in steps)
    inputs = torch.cat([part.inputs_BT for step in steps for part in step])
    targets = torch.cat([part.targets_N for step in steps for part in step])
    assert sorted(inputs.flatten().tolist()) == list(range(100))
    assert torch.equal(inputs.flatten() + 1, targets)
    again = list(packed_steps(tokens, sequence=10, batch_tokens=20, num_steps=5, seed=0, micro_batch_tokens=1000))
    assert torch.equal(torch.cat([part.inputs_BT for step in again for part in step]), inputs)


def test_weights_of_packed_sequences_go_with_their_targets() -> None:
    tokens = np.arange(101, dtype=np.int32)
    steps = packed_steps(
        tokens, sequence=10, batch_tokens=20, num_steps=5, seed=0, micro_batch_tokens=10, weights=tokens / 10
    )
    for part in itertools.chain.from_iterable(steps):
        assert part.weights_N is not None
        assert torch.allclose(part.weights_N * 10, part.targets_N.float())


@pytest.mark.parametrize("lean", [True, False])
def test_a_weighted_loss_is_the_weighted_mean_over_the_whole_step(lean: bool) -> None:
    model = roughened(tiny_llama())
    model.model.embed_tokens.padding_idx = None  # Hugging Face drops the gradient of that row, training does not
    if not lean:
        model.config.attention_dropout = 0.1  # rules the lean path out
        model.eval()
    assert runs_lean(model) is lean
    rng = np.random.default_rng(0)
    tokens, weights = rng.integers(1, 28, 400), rng.choice([1.0, 4.0], 400)
    (step,) = packed_steps(
        tokens, sequence=40, batch_tokens=320, num_steps=1, seed=0, micro_batch_tokens=80, weights=weights
    )
    loss = accumulate(model, step).nats()
    ours = gradients(model)
    inputs = torch.cat([part.inputs_BT for part in step])
    targets, weights_N = (torch.cat([getattr(part, name) for part in step]) for name in ("targets_N", "weights_N"))
    each = F.cross_entropy(model(inputs).logits.flatten(0, 1), targets, reduction="none")
    expected = (each * weights_N).sum() / weights_N.sum()
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    theirs = gradients(model)
    assert largest_gap(ours, theirs) < 1e-5 * max(float(grad.abs().max()) for grad in theirs)


def test_packed_pretraining_is_deterministic() -> None:
    tokens = np.random.default_rng(0).integers(0, 28, 2000).astype(np.int32)

    def run() -> float:
        steps = packed_steps(tokens, sequence=32, batch_tokens=128, num_steps=4, seed=0, micro_batch_tokens=64)
        return train(tiny_llama(), steps, settings=settings(4, beta2=0.95)).final_loss_nats

    assert run() == run()


def test_padding_id_embedding_learns_where_it_is_a_real_token() -> None:
    model = tiny_llama()
    before = model.model.embed_tokens.weight[0].clone()
    steps = packed_steps(
        np.zeros(65, dtype=np.int32), sequence=8, batch_tokens=16, num_steps=1, seed=0, micro_batch_tokens=64
    )
    train(model, steps, settings=settings(1, weight_decay=0.0))
    assert not torch.equal(model.model.embed_tokens.weight[0], before)


def test_norms_are_not_decayed() -> None:
    (optimizer,) = make_optimizers(tiny_llama(), settings(1, weight_decay=0.1))
    by_decay = {
        group["weight_decay"]: {parameter.ndim for parameter in group["params"]} for group in optimizer.param_groups
    }
    assert by_decay == {0.1: {2}, 0.0: {1}}


def test_a_loss_that_is_not_finite_stops_the_run() -> None:
    model = tiny_llama()
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    steps = example_steps(encoded_toys(), batch_size=8, num_steps=5, seed=0, micro_batch_tokens=256)
    with pytest.raises(TrainingDivergedError, match="step 1 of 5"):
        train(model, steps, settings=settings(5))


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"no training examples"):
        next(example_steps([], batch_size=2, num_steps=1, seed=0, micro_batch_tokens=64))
    with pytest.raises(ValueError, match=r"2 of 2 examples exceed train.max_tokens=4; the longest has 8"):
        encode_examples(tiny_tokenizer(), [(Prompt("q 3"), "r 3 ; ans 3"), (Prompt("q"), "r 3 ; ans")], max_tokens=4)
    with pytest.raises(ValueError, match="fewer than one sequence"):
        next(
            packed_steps(
                np.zeros(8, dtype=np.int32), sequence=8, batch_tokens=8, num_steps=1, seed=0, micro_batch_tokens=8
            )
        )
    with pytest.raises(ValueError, match="schedule"):
        train(tiny_llama(), [], settings=settings(1, schedule="step"))


def test_fused_norms_compute_what_the_modules_compute_in_value_and_gradient() -> None:
    """What a GPU trains with, held to transformers' own module on the processor."""
    model = roughened(tiny_llama())
    norms = plain_norms(model)
    assert len(norms) == 2 * model.config.num_hidden_layers + 1
    for norm in norms:
        x = torch.randn(3, 5, norm.weight.shape[0], generator=torch.Generator().manual_seed(0), requires_grad=True)
        found = []
        for compute in (norm, functools.partial(fused_norm, norm)):
            norm.weight.grad = x.grad = None
            out = compute(x)
            out.square().sum().backward()
            found.append((out.detach(), x.grad, norm.weight.grad))
        assert largest_gap(*found) < 1e-4


def test_fused_norms_leave_no_trace_and_processors_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_llama()
    with fused_norms(model):
        assert "forward" not in vars(plain_norms(model)[0])
    monkeypatch.setattr(type(model), "device", torch.device("cuda"))
    with fused_norms(model):
        assert "forward" in vars(plain_norms(model)[0])
    assert "forward" not in vars(plain_norms(model)[0])
