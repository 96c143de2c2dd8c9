"""What the stages of a study that run now say of themselves: for `rft status`.

running_lines(Path("multirun_outputs/quickstart"))
# ['  finetune nano-s sft 1: step 40 of 120, loss 1.31, 9,800 tokens a second',
#  '  sample nano-s: 2,048 draws, 31 % correct, 2 % cut off, 5,120 tokens a second']
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rft.infra.live import LIVE_FOLDER, SWEEP_FILE, Row, Tail
from rft.infra.progress import format_seconds
from rft.records import wilson

SILENT_S = 120.0  # after which a line says for how long it has been silent


def running_lines(study: Path, *, now_s: float | None = None) -> list[str]:
    """A line for each stage that has begun and not ended, and one for the sweep; none where nothing was said."""
    now_s = time.time() if now_s is None else now_s
    lines = []
    for path in sorted((study / LIVE_FOLDER).glob("*.jsonl")):
        rows = Tail(path).fresh()
        if rows and (path.name == SWEEP_FILE or rows[-1].get("event") not in ("done", "failed")):
            text = _sweep_text(rows) if path.name == SWEEP_FILE else _stage_text(rows)
            lines += [f"  {text}{_silence(now_s - rows[-1]['time'])}"] if text else []
    return lines


def _sweep_text(rows: Sequence[Row]) -> str:
    last = next((row for row in reversed(rows) if "sweep/stages_all" in row), None)
    if last is None or last["sweep/stages_done"] >= last["sweep/stages_all"]:
        return ""
    done, whole = last["sweep/stages_done"], last["sweep/stages_all"]
    running = last.get("sweep/stages_running", 0)
    hours = [f"{value:.2f} {name.removeprefix('cost/').replace('_', ' ')}" for name, value in _hours(last)]
    now = [f"{running} running", f"{whole - done - running} waiting"] if running else []
    left = f"{format_seconds(last['sweep/remaining_s'])} left"
    return f"sweep: {', '.join([f'{done} of {whole} stages done', *now, left, *hours])}"


def _hours(row: Row) -> Iterator[tuple[str, float]]:
    """What the sweep has spent, by the name of its unit."""
    return ((name, value) for name, value in row.items() if name.startswith("cost/"))


def _stage_text(rows: Sequence[Row]) -> str:
    begun = max((i for i, row in enumerate(rows) if row.get("event") == "start"), default=0)
    own = rows[begun:]
    elsewhere = (host := own[0].get("host")) is not None and host != socket.gethostname()
    label, said = own[0].get("label", "a stage"), [row for row in own if "event" not in row]
    label += f" on {host}" if elsewhere else ""
    if not said:
        return f"{label}: begun"
    parts = list(_training(said[-1]) if "step" in said[-1] else _solutions(said[-1]))
    return f"{label}: {', '.join([*parts, *_speed(said)])}"


def _training(row: Row) -> Iterator[str]:
    yield f"step {row['step']:,} of {row['num_steps']:,}" if "num_steps" in row else f"step {row['step']:,}"
    if "loss_nats" in row:
        yield f"loss {row['loss_nats']:.3g}"


def _solutions(row: Row) -> Iterator[str]:
    yield f"{row['done']:,} of {row['total']:,} solutions"
    if row.get("graded"):
        low, high = wilson(row["correct"] / row["graded"], n=row["graded"])
        yield f"{row['correct'] / row['graded']:.1%} correct so far (95 % interval {low:.1%} to {high:.1%})"
    if "truncated" in row:
        yield f"{row['truncated'] / row['done']:.1%} cut off"


def _speed(said: Sequence[Row]) -> Iterator[str]:
    last = said[-1]
    recent = [row for row in said if row["time"] >= last["time"] - 30.0]
    counts: list[Any] = [row.get("tokens", row.get("target_tokens")) for row in (recent[0], last)]
    took_s = last["time"] - recent[0]["time"]
    if None not in counts and took_s > 0:
        yield f"{(counts[1] - counts[0]) / took_s:,.0f} tokens a second"


def _silence(seconds: float) -> str:
    return f" (silent for {format_seconds(seconds)})" if seconds > SILENT_S else ""
