"""What this machine can do, measured where a benchmark runs: products of matrices, on one thread.

matmul_flops(rows=32, inner=96, columns=96)       # 3.1e10: FLOP/s of (32 x 96) @ (96 x 96) in float32
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

ROUNDS = 7
AT_LEAST_S = 0.05


def matmul_flops(*, rows: int, inner: int, columns: int) -> float:
    """FLOP/s of a product of float32 matrices of these shapes, as torch computes it with the threads it has."""
    import torch

    left, right = torch.randn(rows, inner), torch.randn(inner, columns)
    out = torch.empty(rows, columns)
    return 2.0 * rows * inner * columns * _calls_per_s(lambda: torch.mm(left, right, out=out))


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
