from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rft.core.batching import packed_steps
from rft.core.muon import Muon, orthogonalised
from rft.core.training import make_optimizers, train
from tests.core_tiny import settings, tiny_llama

torch.set_num_threads(1)

SHAPES = [(16, 16), (48, 16), (16, 48), (64, 64)]
LR = 0.03


def random_matrix(rows: int, columns: int, *, seed: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def polar_factor(matrix: torch.Tensor) -> torch.Tensor:
    """U V^T of the singular value decomposition, in double precision."""
    left, _, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    return left @ right


def moved(weights: list[torch.Tensor], gradients: list[list[torch.Tensor]], **options: float) -> list[torch.Tensor]:
    """Weights after a step of Muon for each entry of `gradients`."""
    parameters = [torch.nn.Parameter(weight.clone()) for weight in weights]
    optimizer = Muon(parameters, **{"lr": LR, **options})
    for grads in gradients:
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = grad.clone()
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_update_lies_along_the_polar_factor_of_the_gradient(rows: int, columns: int) -> None:
    """Against a decomposition: same singular vectors, singular values near 1 where the gradient's differ tenfold."""
    gradient = random_matrix(rows, columns, seed=1)
    left, values, right = torch.linalg.svd(gradient, full_matrices=False)
    gradient = left @ torch.diag(torch.linspace(0.1, 1.0, len(values))) @ right
    (after,) = moved([torch.zeros(rows, columns)], [[gradient]])
    update = -after / (LR * math.sqrt(max(1.0, rows / columns)))
    mixing = left.T @ update @ right.T
    assert (mixing - torch.diag(mixing.diagonal())).abs().max() < 1e-4
    assert 0.65 < mixing.diagonal().min() <= mixing.diagonal().max() < 1.25
    ideal = polar_factor(gradient).float()
    assert float((update * ideal).sum() / (update.norm() * ideal.norm())) > 0.97


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_three_steps_equal_those_of_torch_to_its_half_precision(rows: int, columns: int) -> None:
    weight = random_matrix(rows, columns, seed=0)
    gradients = [random_matrix(rows, columns, seed=seed) for seed in (1, 2, 3)]
    (ours,) = moved([weight], [[gradient] for gradient in gradients], weight_decay=0.1)
    theirs = torch.nn.Parameter(weight.clone())
    optimizer = torch.optim.Muon([theirs], lr=LR, momentum=0.95, weight_decay=0.1)
    for gradient in gradients:
        theirs.grad = gradient.clone()
        optimizer.step()
    distance = (ours - weight).norm()
    assert (ours - theirs.detach()).norm() < 0.03 * distance  # bfloat16 has 8 bits
    assert distance > 0


def test_matrices_of_one_shape_move_as_if_alone() -> None:
    weights = [random_matrix(16, 48, seed=seed) for seed in range(3)]
    gradients = [[random_matrix(16, 48, seed=10 * step + n) for n in range(3)] for step in (1, 2)]
    together = moved(weights, gradients)
    for number, weight in enumerate(weights):
        (alone,) = moved([weight], [[step[number]] for step in gradients])
        assert torch.allclose(together[number], alone, atol=1e-5)


def test_only_the_direction_of_a_gradient_counts() -> None:
    weight, gradient = random_matrix(16, 48, seed=0), random_matrix(16, 48, seed=1)
    (small,), (large,) = moved([weight], [[1e-3 * gradient]]), moved([weight], [[1e3 * gradient]])
    assert torch.allclose(small, large, atol=1e-5)


def test_a_gradient_of_zeros_moves_nothing() -> None:
    weight = random_matrix(16, 16, seed=0)
    (after,) = moved([weight], [[torch.zeros(16, 16)]])
    assert torch.equal(after, weight)
    assert torch.isfinite(orthogonalised(torch.zeros(2, 8, 4))).all()


def test_muon_takes_hidden_matrices_and_adamw_the_rest() -> None:
    model = tiny_llama()
    adamw, muon = make_optimizers(model, settings(1, matrix_lr=0.05))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    muons = {names[id(p)] for group in muon.param_groups for p in group["params"]}
    adams = {names[id(p)] for group in adamw.param_groups for p in group["params"]}
    assert muons == {name for name in names.values() if name.endswith("_proj.weight")}
    assert adams == set(names.values()) - muons
    assert all(group["lr_ratio"] * 3e-3 == pytest.approx(0.05) for group in muon.param_groups)


def run(**changes: object) -> tuple[float, list[torch.Tensor]]:
    tokens = np.random.default_rng(0).integers(0, 28, 2_000)
    model = tiny_llama()
    steps = packed_steps(tokens, sequence=32, batch_tokens=128, num_steps=6, seed=0, micro_batch_tokens=64)
    result = train(model, steps, settings=settings(6, **changes))
    return result.final_loss_nats, [parameter.detach().clone() for parameter in model.parameters()]


def test_identical_runs_give_identical_weights() -> None:
    first, second = run(matrix_lr=0.03), run(matrix_lr=0.03)
    assert first[0] == second[0]
    assert all(torch.equal(a, b) for a, b in zip(first[1], second[1], strict=True))


def test_the_schedule_moves_both_rates() -> None:
    """A run whose rates are both a thousandth hardly moves; the matrix rate alone decides how far matrices go."""
    start = [parameter.detach().clone() for parameter in tiny_llama().parameters()]

    def travelled(weights: list[torch.Tensor]) -> float:
        return sum(float((a - b).norm()) for a, b in zip(weights, start, strict=True) if a.ndim == 2 and len(a) != 28)

    full, slow = travelled(run(matrix_lr=0.03)[1]), travelled(run(matrix_lr=3e-5)[1])
    assert slow < 0.01 * full
