"""Work in a process that may be killed, without a second start of torch.

assert in_child(work) == signal.SIGKILL
assert [end_of(pid) for pid in [begun(work) for _ in range(32)]] == [0] * 32      # side by side
"""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable
from typing import Any

RAISED = 70  # no signal's number


def in_child(work: Callable[[], Any]) -> int:
    """Run in a forked process; returns the signal that ended it, 0 where the work was done, RAISED where it raised."""
    return end_of(begun(work))


def begun(work: Callable[[], Any]) -> int:
    """Start it in a forked process; its number."""
    with warnings.catch_warnings():  # pytest-xdist has threads; the child uses none of them
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(RAISED)
        os._exit(0)
    return child


def end_of(child: int) -> int:
    """Wait for it; as of in_child."""
    return abs(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
