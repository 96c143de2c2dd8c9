"""`python -m tests.bench [NAME ...] [--out FILE]`: run benchmarks, each in a process of its own, and keep their rows.

    python -m tests.bench                      # all
    python -m tests.bench start analysis       # tests/bench/bench_start.py and bench_analysis.py
    python -m tests.bench plan --with '--seeds 1' --out multirun_outputs/reference/bench/2026-11-28.jsonl

Every line gets date, commit and machine. docs/performance.md shows the rows of the committed files, of each name the latest
(`python -m analysis.docs`).
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rft.infra.origin import cpu_model
from rft.infra.provenance import git_state
from tests.bench.harness import REPOSITORY

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the command line; the number of benchmarks that failed."""
    names = [path.stem.removeprefix("bench_") for path in sorted(HERE.glob("bench_*.py"))]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Benchmarks beside their peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--out", type=Path, default=None, help="append the rows to this file")
    parser.add_argument("--with", dest="more", default="", help="arguments for the benchmark, in quotes")
    options = parser.parse_args()
    unknown = set(options.names) - set(names)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return sum(not run(name, shlex.split(options.more), out=options.out) for name in options.names or names)


def run(name: str, more: Sequence[str] = (), *, out: Path | None = None) -> bool:
    """One benchmark, its lines shown as they come; whether it went well."""
    variables = {**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}"}
    command = [sys.executable, str(HERE / f"bench_{name}.py"), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if out is not None and line.startswith("{"):
                _keep({**json.loads(line), **_where()}, out)
    return process.returncode == 0


def _where() -> dict[str, str | None]:
    commit, changed = git_state(REPOSITORY)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    mark = "+" if changed else ""  # with changes that no commit holds
    return {"date": day, "commit": f"{(commit or '')[:7]}{mark}", "machine": f"{cpu_model()}, {os.cpu_count()} cores"}


def _keep(row: dict[str, object], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with open(out, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    sys.exit(main())
