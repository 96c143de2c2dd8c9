r"""A process beside this one in which math-verify reads and compares answers, so that an absurd answer can be broken off.

    ask("same", r"\frac{1}{2}", "0.5")       # True; None where it took more than CPU_S of processor time

    >>> 0 < CPU_S < KILL_S < WALL_S
    True

Started at the first question, ended with this process; one question at a time, from any thread. Lines of JSON go to and fro:
`["same", gold, answer]`, `["reads", answer]`, `["finds", text]`.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
from itertools import product
from typing import Any

CPU_S = 5.0  # seconds of processor time, math-verify's own limit (of wall-clock time there)
KILL_S = (
    2 * CPU_S
)  # where no Python code runs that a signal could stop (a power of big numbers) the kernel ends the process
WALL_S = 300.0  # the same for a process that waits; far above what a busy machine needs
FIGURES = 1e-3  # of a number: relative difference beyond which two are not equal, whatever their sixth decimal
MEMORY = 4 << 30  # bytes of address space

_lock = threading.Lock()
_process: subprocess.Popen[str] | None = None


def ask(*question: str) -> Any:
    """The answer of the process; None where it came to none in time. Raises ValueError when math-verify is not there."""
    with _lock:
        process = _running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], WALL_S)
            line = process.stdout.readline() if ready else ""
        except BrokenPipeError:
            line = ""
        if not line:  # killed, out of memory, or hanging
            close()
            return None
        reply = json.loads(line)
    if "missing" in reply:
        raise ValueError(f"rule=math_verify needs the math-verify package ({reply['missing']}): pip install '.[math]'")
    return reply.get("found")


def _running() -> subprocess.Popen[str]:
    global _process
    if _process is None or _process.poll() is not None:
        paths = {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        _process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=dict(os.environ) | paths,
        )
    return _process


def close() -> None:
    """End the process; the next question starts another."""
    global _process
    if _process is not None:
        _process.kill()
        for pipe in (_process.stdin, _process.stdout):
            if pipe is not None:
                pipe.close()
        _process.wait()
        _process = None


atexit.register(close)


class _OutOfTime(BaseException):
    """Processor time is used up. Not an Exception: sympy catches those."""


def _serve() -> None:
    """Answer questions until the pipe is closed. Runs in the process beside."""
    import logging
    import resource
    import signal
    import warnings

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def stop(*_: Any) -> None:
        raise _OutOfTime

    signal.signal(signal.SIGVTALRM, stop)
    out = sys.stdout
    sys.stdout = sys.stderr  # nothing else may write to the pipe
    for line in sys.stdin:
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, CPU_S)
            signal.setitimer(signal.ITIMER_PROF, KILL_S)  # its signal has no handler: it ends the process
            reply = {"found": _answer(json.loads(line))}
        except ImportError as error:
            reply = {"missing": str(error)}
        except (Exception, _OutOfTime):
            reply = {}
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.setitimer(signal.ITIMER_PROF, 0)
        out.write(json.dumps(reply) + "\n")
        out.flush()


def _answer(question: list[str]) -> Any:
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    def read(text: str) -> list[Any]:
        first = LatexExtractionConfig(boxed_match_priority=0)
        return parse(text, [first, ExprExtractionConfig()], parsing_timeout=None)

    kind, *texts = question
    if kind == "finds":
        found = read(texts[0])
        return found[-1] if found and isinstance(found[-1], str) else None
    parsed = [read(f"\\boxed{{{text}}}") for text in texts]
    if kind == "reads":
        return bool(parsed[0])
    return any(
        verify(gold, answer, timeout_seconds=None) and not _rounded_away(gold, answer)
        for gold, answer in product(*parsed)
    )


def _rounded_away(gold: Any, answer: Any) -> bool:
    """Whether two numbers are equal only because math-verify rounds to six decimals: to it 0.0000001 and 0.0000002 are 0."""
    try:
        one, other = (abs(complex(value)) for value in (gold, answer))
        return abs(complex(gold) - complex(answer)) > FIGURES * max(one, other)
    except (TypeError, ValueError, OverflowError):  # no numbers, or beyond floats: compared exactly
        return False


if __name__ == "__main__":
    _serve()
