"""The number of threads of numeric libraries in this process: from the configuration, since launchers differ in it.

limit_threads(1)      # before and after torch is imported; the number changes a float's last bits, so it is set always
"""

from __future__ import annotations

import os
import sys

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def limit_threads(count: int) -> None:
    """Set the thread variables for libraries that are not loaded yet, and torch's own number where it is."""
    for name in _VARIABLES:
        os.environ[name] = str(count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)
