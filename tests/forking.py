"""Work in a process that may be killed, without a second start of torch.

assert in_child(work) == signal.SIGKILL
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any


def in_child(work: Callable[[], Any]) -> int:
    """Run in a forked process; returns the signal that ended it, 0 where none did."""
    with warnings.catch_warnings():  # pytest-xdist has threads; the child uses none of them
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])
