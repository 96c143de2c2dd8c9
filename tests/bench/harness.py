"""What the benchmarks have in common: both sides in turn, medians, and one line of JSON.

    rates = alternate(ours, peer, pairs=5)          # each a function that returns a Cost
    tell(row("corpus", rates, figure=lambda cost: cost.per_cpu_s, unit="tokens/cpu_s", work="3.0M tokens"))
    {"name": "corpus", "ours": 262000.0, "peer": 65000.0, "unit": "tokens/cpu_s", "ratio": 4.03, "limit": null, ...}

`ratio` is ours over peer, the median of the pairs' ratios; `of_limit` is ours over the limit. In units of a rate more is
better, in seconds less. Processor seconds (`cpu_s`: of a process, its threads and children) are compared wherever others on
the machine would make wall time a matter of luck; wall seconds (`s`) where waiting is what is measured.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
GSM8K = (
    Path(os.environ.get("GSM8K", REPOSITORY.parent / "shared" / "gsm8k")) / "train.jsonl"
)  # of benchmarks that need it
PAIRS = 5


@dataclass(frozen=True)
class Cost:
    """What one run took, and what it did."""

    wall_s: float
    cpu_s: float
    units: float = 1.0  # tokens, cells, problems: whatever a rate counts
    peak_bytes: int = 0  # resident, of a command
    output: str = ""  # of a command

    @property
    def per_cpu_s(self) -> float:
        """Units a processor second."""
        return self.units / self.cpu_s


@dataclass(frozen=True)
class Row:
    """One result."""

    name: str
    ours: float
    peer: float | None
    unit: str
    ratio: float | None  # ours over peer
    limit: float | None  # what the machine could do, in the same unit, measured in the same run
    of_limit: float | None  # ours over the limit
    n: int  # pairs
    must: float | None = None  # what the ratio should reach
    must_be: float | None = None  # what our figure should reach
    work: str = ""  # what both sides did
    against: str = ""  # what the peer is
    limit_is: str = ""  # what the limit is


def in_process(work: Callable[[], float]) -> Cost:
    """Cost of a function that returns how many units it did."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    units = work()
    return Cost(time.perf_counter() - wall_s, time.process_time() - cpu_s, units)


def of_command(
    command: Sequence[str], *, folder: Path = REPOSITORY, units: float = 1.0, environment: dict[str, str] | None = None
) -> Cost:
    """Cost of a process and its children. Raises RuntimeError, with the end of what it said, for one that fails."""
    path = os.pathsep.join([str(folder), str(folder / "tests")])
    variables = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **(environment or {})}
    started_s = time.perf_counter()
    with subprocess.Popen(
        list(command), cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        peak = _Peak(process.pid)
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        peak.ended.set()
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - started_s
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]} ended with {process.returncode}: ...{output[-2000:]}")
    return Cost(wall_s, used.ru_utime + used.ru_stime, units, peak.bytes, output)


class _Peak(threading.Thread):
    """Watches the most memory that a process itself has had. (`ru_maxrss` would be no less than this process's own, since the
    child was a copy of it for a moment.)"""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.status, self.bytes, self.ended = Path(f"/proc/{pid}/status"), 0, threading.Event()
        self.command = Path(f"/proc/{os.getpid()}/cmdline").read_bytes()
        self.start()

    def run(self) -> None:
        started_s = time.monotonic()
        while not self.ended.wait(min(0.1, max(0.005, (time.monotonic() - started_s) / 100))):  # looking costs time too
            try:
                if self.status.with_name("cmdline").read_bytes() == self.command:
                    continue  # not yet the other program
                lines = self.status.read_text(encoding="ascii").splitlines()
            except OSError:
                return
            self.bytes = max([self.bytes, *(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))])


def python(*arguments: str) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *arguments]


def alternate(ours: Callable[[], Cost], peer: Callable[[], Cost], *, pairs: int = PAIRS) -> list[tuple[Cost, Cost]]:
    """Costs of both sides, who begins changing from pair to pair."""
    found = []
    for place in range(pairs):
        if place % 2:
            theirs = peer()
            found.append((ours(), theirs))
        else:
            found.append((ours(), peer()))
    return found


def row(
    name: str,
    costs: Sequence[tuple[Cost, Cost]],
    *,
    figure: Callable[[Cost], float],
    unit: str,
    limit: float | None = None,
    must: float | None = None,
    must_be: float | None = None,
    **words: str,
) -> Row:
    """The row of pairs of costs; `figure`: what is compared of a cost."""
    values = [(figure(ours), figure(peer)) for ours, peer in costs]
    ours, peer = (statistics.median(side) for side in zip(*values, strict=True))
    ratio = statistics.median(one / other for one, other in values)
    of_limit = None if limit is None else ours / limit
    return Row(name, ours, peer, unit, ratio, limit, of_limit, len(costs), must, must_be, **words)


def tell(found: Row) -> None:
    """Print the row's line."""
    plain = {name: _short(value) for name, value in asdict(found).items()}
    print(json.dumps(plain), flush=True)


def _short(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value
