"""The parent's side of one worker process: start it, send it a task, notice its death, stop it.

    worker = Worker(threads=1)
    worker.send("sft", "nano-s", ("rft.execute.stages:StageTask", payload))
    worker.pipe.recv()                      # ("ready",), then ("done", value, seconds), see rft.infra.worker

A fresh interpreter, not a fork: nothing of the parent's threads, locks or device handles comes along, the thread
counts are set before torch can be imported, and the parent's main module is not run again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from multiprocessing import Pipe
from typing import Any

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_START = "import sys; sys.path[:] = sys.argv[4:]; from rft.infra.worker import main; main()"


class Worker:
    """One worker process and what it is doing."""

    def __init__(self, *, threads: int) -> None:
        self.pipe, theirs = Pipe()
        life, self._life = os.pipe()  # the worker ends when our end closes, that is when we end, however we end
        environment = {
            **os.environ,
            **dict.fromkeys(_THREAD_VARIABLES, str(threads)),
            "TOKENIZERS_PARALLELISM": "false",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(theirs.fileno()), str(life), str(os.getpid()), *sys.path],
            pass_fds=(theirs.fileno(), life),
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the parent alone; what the worker starts can be killed with it
        )
        theirs.close()
        os.close(life)
        self.is_ready = False  # it has started up
        self.task_id: str | None = None
        self.affinity = ""  # of its last task
        self.heard_s = time.monotonic()  # when it last said something, or was given a task

    @property
    def idle(self) -> bool:
        """Ready for a task."""
        return self.is_ready and self.task_id is None

    @property
    def is_dead(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def send(self, task_id: str, affinity: str, message: Any) -> None:
        """Give it a task. Raises OSError when it is dead, or what pickle raises for the message."""
        self.task_id = task_id
        self.heard_s = time.monotonic()
        self.affinity = affinity or self.affinity
        self.pipe.send(message)

    def bury(self) -> str:
        """Collect a dead (or unreachable) worker; returns how it ended."""
        self._kill()
        self._process.wait()
        self._close_pipes()
        code = self._process.returncode
        if code >= 0:
            return f"exit status {code}"
        hint = ", the machine may be out of memory" if code == -signal.SIGKILL else ""
        return f"{signal.Signals(-code).name}{hint}"

    def close(self) -> None:
        """Ask it to end: at once when idle, with clean-up (SIGTERM) when in the middle of a task."""
        if self.task_id is not None or not self.is_ready:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        self.pipe.close()

    def join(self, deadline: float) -> None:
        """Wait until the monotonic time `deadline`, then kill it and what it started."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        self._close_pipes()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _close_pipes(self) -> None:
        self.pipe.close()
        with contextlib.suppress(OSError):
            os.close(self._life)
