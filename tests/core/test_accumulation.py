"""Memory that runs out: the step goes on in smaller micro-batches with the same gradient, or says what to change."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rft.core import team
from rft.core.accumulation import Accumulator, OutOfMemoryError, accumulate, pieces
from rft.core.batching import Step, cut_step, packed_steps
from rft.core.tokenization import encode_examples
from rft.records import read_json, write_json
from tests.core_tiny import tiny_llama, tiny_tokenizer, toy_pairs
from tests.finetuning import finetuned

torch.set_num_threads(1)


def toy_step(*, packing: bool) -> Step:
    examples = encode_examples(tiny_tokenizer(), toy_pairs(24, seed=3), max_tokens=64)
    return cut_step(examples, micro_batch_tokens=100_000, packing=packing)


def limited(most: int) -> Callable[..., torch.Tensor]:
    """The loss on a device that holds so many rows."""
    whole = team.target_loss_sum

    def loss(model: Any, inputs_BT: torch.Tensor, *rest: Any, **named: Any) -> torch.Tensor:
        if len(inputs_BT) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return whole(model, inputs_BT, *rest, **named)

    return loss


def gradients(model: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.grad.clone() for parameter in model.parameters()]


@pytest.mark.parametrize("packing", [False, True])
def test_smaller_micro_batches_have_the_same_gradient(packing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    step, model, other = toy_step(packing=packing), tiny_llama(), tiny_llama()
    expected = accumulate(model, step).nats()
    monkeypatch.setattr(team, "target_loss_sum", limited(2))
    run = Accumulator(other)
    assert run(step).nats() == pytest.approx(expected, rel=1e-6)
    assert run.halvings >= 1
    assert max(len(piece.inputs_BT) for part in step for piece in pieces(part, halvings=run.halvings)) <= 2
    for one, same in zip(gradients(model), gradients(other), strict=True):
        assert torch.allclose(one, same, atol=1e-6)


def test_weighted_targets_stay_with_their_rows() -> None:
    import numpy as np

    weights = np.arange(500) % 7 / 7
    (step,) = packed_steps(
        np.arange(500) % 28,
        sequence=16,
        batch_tokens=160,
        num_steps=1,
        seed=0,
        micro_batch_tokens=10_000,
        weights=weights,
    )
    model, other = tiny_llama(), tiny_llama()
    whole = accumulate(model, step).nats()
    cut = [piece for part in step for piece in pieces(part, halvings=2)]
    assert [len(piece.inputs_BT) for piece in cut] == [3, 3, 3, 1]
    assert accumulate(other, cut).nats() == pytest.approx(whole, rel=1e-6)
    for one, same in zip(gradients(model), gradients(other), strict=True):
        assert torch.allclose(one, same, atol=1e-6)


def test_where_one_row_is_too_much_the_message_names_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "target_loss_sum", limited(0))
    with pytest.raises(
        OutOfMemoryError, match=r"does not hold one row of \d+ tokens: lower train.max_tokens.*lora_rank"
    ):
        Accumulator(tiny_llama())(toy_step(packing=False))


def test_other_errors_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **named: Any) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(team, "target_loss_sum", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        Accumulator(tiny_llama())(toy_step(packing=False))


def test_the_record_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, curve = finetuned(tmp_path / "plenty")
    assert "micro_batch_halvings" not in done.facts.to_json()
    monkeypatch.setattr(team, "target_loss_sum", limited(2))
    scarce, other = finetuned(tmp_path / "scarce")
    assert scarce.facts.to_json()["micro_batch_halvings"] == 2  # 8 rows at once, then 4, then 2
    for row, same in zip(curve, other, strict=True):
        assert row["loss_nats"] == pytest.approx(same["loss_nats"], rel=1e-3)


TOKENS = torch.arange(70_000).numpy() % 28
ONE_STEP: dict[str, Any] = {
    "sequence": 64, "batch_tokens": 65_536, "num_steps": 1, "seed": 0, "micro_batch_tokens": 65_536,
}  # fmt: skip
REPOSITORY = Path(__file__).resolve().parents[2]


def accumulate_in_little(out: str) -> None:
    """What the test below has another process do."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + 100 * 2**20, -1))
    run = Accumulator(tiny_llama())
    (step,) = packed_steps(TOKENS, **ONE_STEP)
    loss = run(step).nats()
    write_json(Path(out), {"halvings": run.halvings, "loss": loss})


def test_a_real_allocator_that_refuses_is_understood(tmp_path: Path) -> None:
    """An address space with 100 MB to spare, and a micro-batch that takes several times that."""
    out = tmp_path / "found.json"
    code = f"from tests.core.test_accumulation import accumulate_in_little; accumulate_in_little({str(out)!r})"
    places = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}", "MALLOC_ARENA_MAX": "1"}
    subprocess.run([sys.executable, "-c", code], env=places, check=True, cwd=REPOSITORY)  # a used process has room left
    found = read_json(out)
    (step,) = packed_steps(TOKENS, **ONE_STEP | {"micro_batch_tokens": 8192})
    expected = accumulate(tiny_llama(), step).nats()
    assert found["halvings"] >= 1
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
