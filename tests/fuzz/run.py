"""Fuzz every parser for some seconds each and count: `make fuzz`, or python tests/fuzz/run.py --seconds 60 [NAME ...]

With atheris (in an environment of its own: tests/fuzz/README.md) inputs follow coverage; without it, a plain loop mutates the
seeds. Each parser has a process of its own: one that ends with a finding does not end the others, and leaves its input in
the folder --found. Limits: 1 s an input of up to 100 kB, 500 MB.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LONGEST = {"short": 512, "long": 100_000}
LIMIT_S, LIMIT_MB = 1, 500
STARVED = 10  # times as long by the wall clock, which is what libFuzzer has, on a machine with other work


def main() -> int:
    """All parsers, one after the other; 1 when one of them has a finding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each parser")
    parser.add_argument(
        "--found", type=Path, default=Path("fuzz-found"), help="folder for inputs that were refused wrongly"
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options, _ = parser.parse_known_args()
    sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]
    if options.one:
        return _one(options.one, options.seconds)
    from fuzz.targets import TARGETS

    options.found.mkdir(parents=True, exist_ok=True)
    total, failed = 0, []
    for name in options.names or TARGETS:
        for size, most in LONGEST.items():
            share = options.seconds * (0.8 if size == "short" else 0.2)
            count, fault = _fuzz(name, share, most, options.found.resolve())
            total += count
            print(f"{name:<16} {size:<5} {count:>12,} executions  {fault or 'nothing found'}", flush=True)
            failed += [name] if fault else []
    print(json.dumps({"executions": total, "by": "atheris" if _has_atheris() else "a mutation loop", "found": failed}))
    return 1 if failed else 0


def _has_atheris() -> bool:
    return importlib.util.find_spec("atheris") is not None


def _fuzz(name: str, seconds: float, most: int, found: Path) -> tuple[int, str | None]:
    """Executions, and the last line of what went wrong."""
    limits = [
        f"-max_total_time={max(1, round(seconds))}",
        f"-max_len={most}",
        f"-timeout={STARVED * LIMIT_S}",
        f"-rss_limit_mb={LIMIT_MB}",
    ]
    libfuzzer = [*limits, "-print_final_stats=1", f"-artifact_prefix={found}/{name}-"]
    command = [sys.executable, str(Path(__file__).resolve()), "--one", name, "--seconds", str(seconds), *libfuzzer]
    environment = {**os.environ, "FUZZ_LONGEST": str(most), "FUZZ_FOUND": str(found)}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, check=False)
    said = done.stdout + done.stderr
    counts = re.findall(r"number_of_executed_units:\s*(\d+)", said)
    told = re.findall(r"Uncaught Python exception: ===\n(.*)", said) or re.findall(r".*(?:ERROR|Error).*", said)
    return int(counts[-1]) if counts else 0, None if done.returncode == 0 else (told or [said[-200:]])[0][:200]


def _one(name: str, seconds: float) -> int:
    if not _has_atheris():
        return _mutate(name, seconds)
    import atheris

    with atheris.instrument_imports(include=["rft"]):
        from fuzz.targets import SEEDS, TARGETS
    corpus = Path(os.environ["FUZZ_FOUND"]) / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *(word for word in sys.argv if re.match(r"-\w+=", word)), str(corpus)], TARGETS[name])
    atheris.Fuzz()
    return 0


def _mutate(name: str, seconds: float) -> int:
    """Without coverage: cut, repeat, swap and overwrite parts of the seeds and of one another."""
    from fuzz.targets import SEEDS, TARGETS

    draw, count, until_s = random.Random(name), 0, time.monotonic() + seconds
    pool, most = list(SEEDS[name]), int(os.environ["FUZZ_LONGEST"])
    while time.monotonic() < until_s:
        data = bytearray(draw.choice(pool))
        for _ in range(draw.randint(1, 6)):
            at, size = draw.randint(0, len(data)), draw.choice((1, 1, 2, 8, most))
            other = draw.choice((draw.randbytes(min(size, 8)), bytes(draw.choice(pool)), bytes(data[at : at + size])))
            data[at : at + draw.choice((0, len(other)))] = other * draw.choice(
                (1, 1, 1, max(1, most // max(1, len(other))))
            )
        data = data[:most]
        started_s = time.process_time()
        try:
            TARGETS[name](bytes(data))
            assert time.process_time() - started_s < LIMIT_S, "TimeoutError"
        except BaseException:
            (Path(os.environ["FUZZ_FOUND"]) / f"{name}-crash").write_bytes(data)
            raise
        count += 1
        if len(pool) < 500 and draw.random() < 0.01 and len(data) < 4096:
            pool.append(bytes(data))
    print(f"number_of_executed_units: {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
