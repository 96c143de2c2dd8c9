"""Which floating-point kernels this process computes with: the processor's fastest, or those that all processors have.

    require("portable")      # before torch or CTranslate2 is imported; RuntimeError afterwards

Libraries choose kernels by processor, and kernels differ in the last bits of a sum. Pretraining amplifies that: one commit
and one seed gave bases whose fine-tuned accuracy was 40.8, 28.3 and 40.0 % under three instruction sets of one machine
(NOTES.md). With `portable` numerics every x86-64 machine takes the same kernels:

    ATEN_CPU_CAPABILITY=default   torch's element-wise operations and reductions (read once, when they are first used)
    MKL_CBWR=COMPATIBLE           matrix products: Intel's conditional numerical reproducibility, for all processors
    ONEDNN_MAX_CPU_ISA=SSE41      oneDNN, which torch takes for some products
    CT2_FORCE_CPU_ISA=GENERIC     CTranslate2's own kernels
    CT2_USE_MKL=1                 its products by MKL on every maker's processors, not only on Intel's
"""

from __future__ import annotations

import os
import sys

NATIVE, PORTABLE = "native", "portable"
VARIABLES = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "CT2_FORCE_CPU_ISA": "GENERIC",
    "CT2_USE_MKL": "1",
}
LIBRARIES = ("torch", "ctranslate2")  # they read the variables once
_MARK = "RFT_NUMERICS"  # set by `require`, so that processes started from here know


def current() -> str:
    """The numerics of this process."""
    return os.environ.get(_MARK, NATIVE)


def require(numerics: str) -> None:
    """Make this process compute with these numerics from now on.

    Raises RuntimeError when a library has been loaded under the other ones: then a new process is needed.
    """
    if numerics == current():
        return
    loaded = [name for name in LIBRARIES if name in sys.modules]
    if loaded:
        raise RuntimeError(
            f"numerics={numerics} is asked for, but this process has loaded {', '.join(loaded)} with {current()} numerics, "
            "which cannot be changed afterwards: run the two in sweeps of their own"
        )
    for name, value in VARIABLES.items():
        if numerics == PORTABLE:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)
    os.environ[_MARK] = numerics
