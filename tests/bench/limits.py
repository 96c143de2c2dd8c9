"""What this machine can do, measured where a benchmark runs: products of matrices, on one thread.

matmul_flops(rows=32, inner=96, columns=96)       # 3.1e10: FLOP/s of (32 x 96) @ (96 x 96) in float32
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 7
AT_LEAST_S = 0.05


def matmul_flops(*, rows: int, inner: int, columns: int) -> float:
    """FLOP/s of a product of float32 matrices of these shapes, as torch computes it with the threads it has."""
    import torch

    left, right = torch.randn(rows, inner), torch.randn(inner, columns)
    out = torch.empty(rows, columns)
    return 2.0 * rows * inner * columns * _calls_per_s(lambda: torch.mm(left, right, out=out))


def tokens_limit(folder: Path, *, rows: int, flops_per_parameter: float) -> float:
    """Tokens a second of a model folder whose products of matrices this machine could compute at so many rows: a forward
    pass takes 2 FLOPs a parameter, training 6."""
    from rft.core.model import load_model

    model = load_model(folder, device="cpu", dtype="float32")
    width = model.config.hidden_size
    flops = flops_per_parameter * sum(parameter.numel() for parameter in model.parameters())
    return matmul_flops(rows=rows, inner=width, columns=4 * width) / flops


def _calls_per_s(call: Callable[[], object]) -> float:
    """The median of several rounds, in processor seconds: others use the machine."""
    call()
    rates = []
    for _ in range(ROUNDS):
        calls, started_s = 0, time.process_time()
        while (spent_s := time.process_time() - started_s) < AT_LEAST_S:
            call()
            calls += 1
        rates.append(calls / spent_s)
    return statistics.median(rates)
