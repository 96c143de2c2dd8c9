"""Signals that stop a run: SIGTERM and SIGHUP (a closed terminal) stop it as Ctrl-C does, and asking twice disturbs nothing.

    with stopped_by_signals():
        ...                         # the first raises KeyboardInterrupt: `finally` blocks give back leases and scratch

The second is told to wait, since cleaning up is what takes the seconds; the third ends the process at once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_asked: list[int] = []  # signals since the outermost block was entered
_depth: list[None] = []


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """See the module. Blocks may lie within one another; only a main thread can handle signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if not _depth:
        _asked.clear()
    before = {number: signal.signal(number, _stop) for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN}
    _depth.append(None)
    try:
        yield
    finally:
        _depth.pop()
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    _asked.append(number)
    if number == signal.SIGHUP:
        _leave_terminal()
    if len(_asked) == 1:
        raise KeyboardInterrupt(f"stopped by {signal.Signals(number).name}")
    if len(_asked) > 2:
        os._exit(128 + number)
    with suppress(OSError):
        os.write(2, b"stopping: a few seconds, for what is begun to be cleaned up (once more: at once)\n")


def _leave_terminal() -> None:
    """What is written to a terminal that is gone fails: from now on it goes nowhere."""
    for stream in (sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):
            if os.isatty(stream.fileno()):  # type: ignore[union-attr]
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
                os.close(nowhere)
