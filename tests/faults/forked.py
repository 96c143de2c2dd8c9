"""A command and its workers forked from this process, which has the libraries loaded: their start costs a tenth.

    process = Forked(["-m", "k=2"], mark=mark, env={...})      # as far as tests need it a Popen: poll, wait, communicate
                                                               # the workers that it starts are forked too

Two thirds of a kill's cost is the import of torch and transformers by the launcher's successor and its workers, which no
fault is done to. All else is as on the command line: sessions, pipes, signals, the death with the parent.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NAMES = "/proc/self/comm"  # a fork has the environment of whom it was forked from: its mark is its name


def _load() -> None:
    """Import what launchers and workers import, before the first fork. No thread may be started by it."""
    import ctranslate2  # noqa: F401
    import hydra  # noqa: F401
    import torch  # noqa: F401
    from transformers import LlamaForCausalLM  # noqa: F401

    import rft.core.sampling.held
    import rft.execute.stages
    import rft.execute.sweep  # noqa: F401


class Child:
    """A forked process."""

    def __init__(self, work: Callable[[], None], *, kept: Sequence[int], out: int, env: Mapping[str, str]) -> None:
        self.returncode: int | None = None
        sys.stdout.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a launcher has threads; a worker uses none of them
            self.pid = os.fork()
        if self.pid == 0:
            self._begin(work, {0, 1, 2, *kept}, out, env)

    def _begin(self, work: Callable[[], None], kept: set[int], out: int, env: Mapping[str, str]) -> None:
        """Of the child: never returns."""
        status = 1
        try:
            os.setsid()
            for number in SIGNALS:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w", 1, closefd=False), os.fdopen(2, "w", 1, closefd=False)
            for descriptor in map(int, os.listdir("/proc/self/fd")):
                if descriptor not in kept:
                    os.close(descriptor) if os.path.exists(f"/proc/self/fd/{descriptor}") else None
            os.environ.clear()
            os.environ.update(env)
            warnings.resetwarnings()
            warnings.simplefilter("ignore")
            work()
            status = 0
        except SystemExit as end:
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        until_s = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() > until_s:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.005)
        return code

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


class Forked(Child):
    """`python -m rft.run WORDS`."""

    def __init__(self, words: Sequence[str], *, mark: str, env: Mapping[str, str]) -> None:
        _load()
        with tempfile.NamedTemporaryFile(prefix="rft-forked-", delete=False) as file:
            self._said = Path(file.name)
            super().__init__(lambda: _launch(words, mark), kept=(), out=file.fileno(), env=env)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        said = self._said.read_text() if self._said.exists() else ""
        self._said.unlink(missing_ok=True)
        return said, ""


class _ForkedWorker(Child):
    """Stands for the Popen of rft.infra.process."""

    def __init__(self, command: Sequence[str], *, pass_fds: Sequence[int], env: Mapping[str, str], **_: Any) -> None:
        super().__init__(lambda: _serve(command), kept=pass_fds, out=2, env=env)


def _launch(words: Sequence[str], mark: str) -> None:
    Path(NAMES).write_text(mark[:15])
    from rft import run
    from rft.infra import process

    process.subprocess = _Subprocess()  # type: ignore[assignment]
    sys.argv = [run.__file__ or "", *words]
    run.main()


class _Subprocess:
    """The module, as far as rft.infra.process uses it."""

    Popen = _ForkedWorker
    DEVNULL, TimeoutExpired = subprocess.DEVNULL, subprocess.TimeoutExpired


def _serve(command: Sequence[str]) -> None:
    from rft.infra import worker

    Path(NAMES).write_text(f"w{Path(NAMES).read_text()}"[:15])
    sys.argv = ["-c", *command[3:]]
    worker.main()
