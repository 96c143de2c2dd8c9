"""Python commands forked from a process that has the libraries loaded: a start costs a tenth of a second in place of five.

    done = run("-m", "rft.run", "k=2", cwd=tmp_path, env=environment())      # as of subprocess.run: .returncode, .stdout
    process = Forked("-m", "rft.run", "-m", "k=2", cwd=tmp_path, env=environment(), out=tmp_path / "out.txt")
    process.wait(timeout=300)                       # as far as tests need it a Popen: pid, poll, wait, communicate, terminate

Two thirds of what a tiny study costs is the import of torch and transformers by the command and each of its workers. Forked
are all of them (forked_origin.py). Not for tests of imports, of variables that a library reads when it is loaded, and of
numerics; and of every kind of fault or run some test takes the real command (tests/faults, tests/infra/test_study.py).
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from forked_origin import Polled

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
_NUMBERS = itertools.count()
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


def environment(**more: str) -> dict[str, str]:
    """Of a command that takes this repository's code."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", **more}


@cache
def _folder() -> Path:
    """Of what forked processes say and how they end."""
    folder = Path(tempfile.mkdtemp(prefix="rft-forked-"))
    atexit.register(shutil.rmtree, folder)
    return folder


@cache
def _origin() -> subprocess.Popen[str]:
    """One to a process of pytest, started when it is first needed; it ends when its input does."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "forked_origin.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**environment(), **ONE_THREAD, "TOKENIZERS_PARALLELISM": "false"},
        start_new_session=True,
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait()
    process.stdout.close()


class Forked(Polled):
    """A command that runs."""

    def __init__(
        self,
        *words: str | Path,
        cwd: Path = REPOSITORY,
        env: Mapping[str, str],
        out: Path | None = None,
        mark: str = "",
    ) -> None:
        """Its output and errors go to the file `out`, or are kept for communicate. `mark`: the name of its processes."""
        self.returncode: int | None = None
        number = next(_NUMBERS)
        self._out, self._err, self._status = (_folder() / f"{name}-{number}" for name in ("out", "err", "status"))
        places = {"out": str(out or self._out), "err": str(out or self._err), "status": str(self._status)}
        request = {"words": list(map(str, words)), "cwd": str(cwd), "env": dict(env), "mark": mark, **places}
        origin = _origin()
        assert origin.stdin is not None
        assert origin.stdout is not None
        print(json.dumps(request), file=origin.stdin, flush=True)
        self.pid = int(origin.stdout.readline())

    def poll(self) -> int | None:
        if self.returncode is None and self._status.exists():
            self.returncode = int(self._status.read_text())
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait; what it said, and its errors."""
        self.wait(timeout)
        out, err = (path.read_text() if path.exists() else "" for path in (self._out, self._err))
        return out, err

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


def run(
    *words: str | Path, cwd: Path = REPOSITORY, env: Mapping[str, str] | None = None, timeout: float = 300.0
) -> subprocess.CompletedProcess[str]:
    """Run to its end."""
    process = Forked(*words, cwd=cwd, env=environment() if env is None else env)
    out, err = process.communicate(timeout)
    assert process.returncode is not None
    return subprocess.CompletedProcess(words, process.returncode, out, err)
