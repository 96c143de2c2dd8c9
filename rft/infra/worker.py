"""One worker process of the scheduler: takes tasks over a pipe, calls their functions, sends back what came of them.

    python -c "from rft.infra.worker import main; main()" TASK_FD LIFE_FD PARENT_PID      # see rft.infra.process

A task's function is `function(payload, report)`; `report(fraction)` sends progress in [0, 1] to the parent. Where it is a
class, each worker makes one instance and calls that: for what a worker keeps open between tasks. Raising
`rft.infra.entry.Busy` hands the task back to be tried later, so that a worker never sits waiting for another process. The
process ends at once when its parent does, even in the middle of a long computation, and on SIGTERM with the usual clean-up
(`finally` blocks run). SIGINT is left to the parent.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from rft.infra.entry import Busy

_PR_SET_PDEATHSIG = 1
_REPORT_EVERY_S = 0.2


def main() -> None:
    """Serve until the pipe closes."""
    task_fd, life_fd, parent_pid = (int(text) for text in sys.argv[1:4])
    _die_with(parent_pid, life_fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    os.set_inheritable(task_fd, False)
    pipe = Connection(task_fd)
    pipe.send(("ready",))
    while True:
        try:
            function, payload = pipe.recv()
        except EOFError:
            return
        _send(pipe, perform(function, payload, _reporter(pipe)))


@functools.cache
def resolve(function: str) -> Callable[[Any, Callable[[float], None]], Any]:
    """The callable behind 'package.module:name', of a class one instance.

    Raises ValueError when the text has another form or names nothing.
    """
    module, colon, name = function.partition(":")
    if not colon:
        raise ValueError(f"task function {function!r} is not of the form 'package.module:callable'")
    found = getattr(importlib.import_module(module), name, None)
    if not callable(found):
        raise ValueError(f"module {module} has no callable {name!r} (task function {function!r})")
    return found() if isinstance(found, type) else found  # type: ignore[no-any-return]


def perform(function: str, payload: Any, report: Callable[[float], None]) -> tuple[Any, ...]:
    """Call a task's function: ("done", value, seconds), ("failed", reason, traceback, seconds) or ("busy", reason)."""
    started = time.perf_counter()
    try:
        value = resolve(function)(payload, report)
    except Busy as busy:
        return ("busy", str(busy))
    except Exception as error:
        return ("failed", _reason(error), traceback.format_exc(), time.perf_counter() - started)
    return ("done", value, time.perf_counter() - started)


def _send(pipe: Connection, message: tuple[Any, ...]) -> None:
    try:
        pipe.send(message)
    except (BrokenPipeError, ConnectionResetError):
        raise SystemExit(1) from None
    except Exception as error:  # a value that cannot be pickled: the task's fault, not the worker's
        pipe.send(("failed", f"its value cannot be sent back: {_reason(error)}", traceback.format_exc(), message[-1]))


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _reporter(pipe: Connection) -> Callable[[float], None]:
    last_s = 0.0

    def report(fraction: float) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s >= _REPORT_EVERY_S:
            last_s = now_s
            _send(pipe, ("progress", min(1.0, max(0.0, float(fraction)))))

    return report


def _stop(signum: int, _frame: Any) -> None:
    raise SystemExit(128 + signum)


def _die_with(parent_pid: int, life_fd: int) -> None:
    """End this process when the parent ends: by the kernel on Linux, by a thread that sees its pipe close elsewhere."""
    os.set_inheritable(life_fd, False)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)

    def watch() -> None:
        os.read(life_fd, 1)  # nothing is ever written: returns when the parent's end closes
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
