"""Muon: momentum whose update is orthogonalised, for the hidden matrices of a network (Jordan et al. 2024).

    optimizer = Muon([{"params": matrices}], lr=0.03)
    loss.backward(); optimizer.step()

A step moves a matrix by about lr in each of its singular directions, however unlike in size these are in the gradient. With
M = momentum * M + (1 - momentum) * G and the singular values of U S V^T = (1 - momentum) * G + momentum * M, the update is
close to lr * sqrt(max(1, rows / columns)) * U V^T. "Close": five Newton-Schulz steps bring the singular values near 1
(mostly 0.7 to 1.2), which is as good for training and needs products alone.

`torch.optim.Muon` is the same rule, and tests hold this class to it. It orthogonalises in bfloat16, one matrix at a
time, which a CPU without bfloat16 products does hundreds of times slower; here it is float32, matrices of one shape together.

Shapes: N matrices of one shape, R rows, C columns with R <= C (taller ones are transposed).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch

NEWTON_SCHULZ = (
    3.4445,
    -4.7750,
    2.0315,
)  # of X, X X^T X and (X X^T)^2 X: steepest at 0 (Jordan et al.; torch's default)
NUM_STEPS = 5
EPS = 1e-7


class Muon(torch.optim.Optimizer):
    """See the module. All parameters must be matrices; embeddings, heads and norms belong to AdamW."""

    def __init__(self, params: Iterable[Any], *, lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            assert all(parameter.ndim == 2 for parameter in group["params"]), "Muon moves matrices only"

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every matrix that has a gradient."""
        assert closure is None, "Muon evaluates no closure"
        for group in self.param_groups:
            for matrices in _by_shape(group["params"]):
                self._step(matrices, lr=group["lr"], momentum=group["momentum"], weight_decay=group["weight_decay"])

    def _step(self, matrices: list[torch.Tensor], *, lr: float, momentum: float, weight_decay: float) -> None:
        """One update of matrices of one shape."""
        aims = [self._aim(matrix, momentum=momentum) for matrix in matrices]
        rows, columns = matrices[0].shape
        scale = lr * math.sqrt(max(1.0, rows / columns))
        for matrix, update in zip(matrices, orthogonalised(torch.stack(aims)), strict=True):
            matrix.mul_(1 - lr * weight_decay).add_(update, alpha=-scale)

    def _aim(self, matrix: torch.Tensor, *, momentum: float) -> torch.Tensor:
        """The momentum one step ahead (Nesterov), the buffer being brought up to date."""
        assert matrix.grad is not None
        buffer: torch.Tensor = self.state[matrix].setdefault("momentum_buffer", torch.zeros_like(matrix))
        buffer.lerp_(matrix.grad, 1 - momentum)
        return matrix.grad.lerp(buffer, momentum)


def orthogonalised(matrices_NRC: torch.Tensor) -> torch.Tensor:
    """Each matrix with its singular values near 1 and its singular vectors kept."""
    if matrices_NRC.shape[-2] > matrices_NRC.shape[-1]:
        return orthogonalised(matrices_NRC.mT).mT
    first, third, fifth = NEWTON_SCHULZ
    x_NRC = matrices_NRC / matrices_NRC.norm(dim=(-2, -1), keepdim=True).clamp(min=EPS)  # no singular value above 1
    for _ in range(NUM_STEPS):
        square_NRR = x_NRC @ x_NRC.mT
        factor_NRR = torch.baddbmm(square_NRR, square_NRR, square_NRR, beta=third, alpha=fifth)
        x_NRC = torch.baddbmm(x_NRC, factor_NRR, x_NRC, beta=first)
    return x_NRC


def _by_shape(parameters: Iterable[torch.Tensor]) -> list[list[torch.Tensor]]:
    """Those with a gradient, together where their shapes are equal."""
    found: dict[torch.Size, list[torch.Tensor]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            found.setdefault(parameter.shape, []).append(parameter)
    return list(found.values())
