"""`rft status` says what running stages say of themselves."""

from __future__ import annotations

from pathlib import Path

from rft.infra.live import LIVE_FOLDER, Appender
from rft.infra.live_text import running_lines

START = {"event": "start", "pid": 1, "host": "x"}


def say(study: Path, name: str, *rows: dict[str, object]) -> None:
    log = Appender(study / LIVE_FOLDER / name)
    for time_s, row in enumerate(rows):
        log({"time": float(time_s), **row})
    log.close()


def test_stages_that_run_are_shown_with_how_far_they_are(tmp_path: Path):
    steps = [{"step": n, "num_steps": 9, "loss_nats": 2.0 / n, "target_tokens": 100 * n} for n in (1, 2, 3)]
    say(tmp_path, "finetune-1.jsonl", START | {"label": "old"}, steps[2], START | {"label": "sft"}, *steps)
    drawn = {"done": 50, "total": 100, "tokens": 500, "graded": 50, "correct": 10, "truncated": 1}
    say(tmp_path, "evaluate-1.jsonl", START | {"label": "evaluate"}, drawn)
    say(tmp_path, "evaluate-2.jsonl", START | {"label": "finished"}, drawn, {"event": "done"})
    say(tmp_path, "sweep.jsonl", {"sweep/stages_done": 3, "sweep/stages_all": 9, "sweep/remaining_s": 70.0})
    assert running_lines(tmp_path, now_s=60.0) == [
        "  evaluate on x: 50 of 100 solutions, 20.0% correct so far (95 % interval 11.2% to 33.0%), 2.0% cut off",
        "  sft on x: step 3 of 9, loss 0.667, 100 tokens a second",
        "  sweep: 3 of 9 stages done, 1 min 10 s left",
    ]


def test_a_stage_that_is_silent_says_so(tmp_path: Path):
    say(tmp_path, "finetune-1.jsonl", START | {"label": "sft"})
    assert running_lines(tmp_path, now_s=600.0) == ["  sft on x: begun (silent for 10 min 00 s)"]


def test_a_study_that_says_nothing_has_no_line(tmp_path: Path):
    assert running_lines(tmp_path) == []
