"""The process that commands of tests are forked from: it has the libraries loaded, and neither threads nor a test's doings.

    python forked_origin.py          # started by forked.py; a request a line, answered with the number of the new process

A request names the words after `python`, the folder, the environment, and the files for output and for the status. The
workers that a command starts are forked too, from the command itself. All else is as on the command line: sessions, pipes,
signals, the death with the parent.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NAMES = "/proc/self/comm"  # a fork has the environment of whom it was forked from: its mark is its name
LOOK_S = 0.01  # for commands that have ended


def load() -> None:
    """Import what launchers and workers import, before the first fork. No thread may be started by it."""
    import ctranslate2  # noqa: F401
    import hydra  # noqa: F401
    import torch  # noqa: F401
    from transformers import LlamaForCausalLM  # noqa: F401

    import rft.core.sampling.held
    import rft.execute.stages
    import rft.execute.sweep
    import rft.infra.process
    import rft.plan.typed  # noqa: F401

    _warm()
    gc.collect()
    gc.freeze()  # or the first collection of every fork would copy all pages


def _warm() -> None:
    """What every process works out once from files that no test changes: the code behind each stage, the default world."""
    from rft.execute.code import behind
    from rft.methods.rft import KeptSet
    from rft.methods.sft_matched import MatchedSet
    from rft.stages.corpus import Corpus, Heldout
    from rft.stages.evaluate import Evaluate
    from rft.stages.finetune import Finetune
    from rft.stages.loss import Loss
    from rft.stages.pretrain import Pretrain
    from rft.stages.problems import WorldProblems
    from rft.stages.select import Select
    from rft.stages.shard import Shard
    from rft.stages.trainset import HumanSet
    from rft.stages.vote import Vote

    text = (Corpus, Heldout, WorldProblems, Select, HumanSet, KeptSet, MatchedSet, Vote)
    for kind in (*text, Evaluate, Finetune, Loss, Pretrain, Shard):
        behind(kind)


def fork(work: Callable[[], None], *, kept: Sequence[int], out: int, err: int) -> int:
    """Its number."""
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a launcher has threads; a worker uses none of them
        pid = os.fork()
    if pid == 0:
        _become(work, {0, 1, 2, *kept}, out, err)
    return pid


def _become(work: Callable[[], None], kept: set[int], out: int, err: int) -> None:
    """Of the child: never returns."""
    status = 1
    try:
        os.setsid()
        for number in SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for given, number in ((os.dup(out), 1), (os.dup(err), 2)):
            os.dup2(given, number)
        sys.stdout, sys.stderr = os.fdopen(1, "w", 1, closefd=False), os.fdopen(2, "w", 1, closefd=False)
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            if descriptor not in kept:
                os.close(descriptor) if os.path.exists(f"/proc/self/fd/{descriptor}") else None
        work()
        status = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # what an interpreter does at its end
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status & 0xFF)


class Polled(ABC):
    """What can be asked whether it has ended, and so can be waited for."""

    pid: int

    @abstractmethod
    def poll(self) -> int | None:
        """Its status; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its status, once it has ended. Raises subprocess.TimeoutExpired."""
        until_s = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() > until_s:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.005)
        return code


class ForkedWorker(Polled):
    """Stands for the Popen of rft.infra.process, within a forked command."""

    def __init__(self, command: Sequence[str], *, pass_fds: Sequence[int], env: Mapping[str, str], **_: Any) -> None:
        self.returncode: int | None = None
        self.pid = fork(lambda: _serve(command, env), kept=pass_fds, out=1, err=2)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


class _Subprocess:
    """The module, as far as rft.infra.process uses it."""

    Popen = ForkedWorker
    DEVNULL, TimeoutExpired = subprocess.DEVNULL, subprocess.TimeoutExpired


def _serve(command: Sequence[str], env: Mapping[str, str]) -> None:
    from rft.infra import worker

    _set_environment(env)
    Path(NAMES).write_text(f"w{Path(NAMES).read_text()}"[:15])
    sys.path[:] = command[6:]
    sys.argv = ["-c", *command[3:]]
    worker.main()


def _set_environment(env: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)


def _run(request: Mapping[str, Any], site: Sequence[str]) -> None:
    """As `python WORDS` does."""
    from rft.infra import process

    process.subprocess = _Subprocess()  # type: ignore[assignment]
    if request["mark"]:
        Path(NAMES).write_text(request["mark"][:15])
    _set_environment(request["env"])
    os.chdir(request["cwd"])
    (first, *rest), own = request["words"], request["env"].get("PYTHONPATH", "").split(os.pathsep)
    start = {"-m": os.getcwd(), "-c": ""}.get(first, os.path.dirname(first))
    sys.path[:] = [start, *filter(None, own), *site]
    sys.argv = [first, *rest]
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = [first, *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        runpy.run_path(first, run_name="__main__")


def _open(name: str) -> int:
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def main() -> None:
    """Serve until the requests end."""
    here = str(Path(__file__).resolve().parent)
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    site = [folder for folder in sys.path if folder != here and folder not in given]
    load()
    running: dict[int, str] = {}
    buffered = b""
    while True:
        for pid, place in list(running.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del running[pid]
                Path(f"{place}.new").write_text(str(os.waitstatus_to_exitcode(status)))
                os.replace(f"{place}.new", place)
        if not select.select([0], [], [], LOOK_S if running else None)[0]:
            continue
        read = os.read(0, 1 << 16)
        if not read:
            return
        *lines, buffered = (buffered + read).split(b"\n")
        for request in map(json.loads, lines):
            out, err = _open(request["out"]), _open(request["err"])
            pid = fork(lambda request=request: _run(request, site), kept=(), out=out, err=err)
            os.close(out), os.close(err)
            running[pid] = request["status"]
            print(pid, flush=True)


if __name__ == "__main__":
    main()
