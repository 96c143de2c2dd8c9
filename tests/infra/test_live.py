"""What stages say while they run: whole lines, in order; curves that go on where they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scipy import stats

from rft.infra.live import Appender, Tail, live_log
from rft.infra.live_metrics import Solutions, Training
from rft.records import wilson


def test_a_reader_sees_each_whole_line_once(tmp_path: Path) -> None:
    path = tmp_path / "live" / "finetune-1.jsonl"
    log, tail = Appender(path), Tail(path)
    assert tail.fresh() == []
    log({"step": 1, "loss_nats": 2.5})
    with open(path, "a") as file:
        file.write('{"step": 2, "lo')
    assert [row["step"] for row in tail.fresh()] == [1]
    with open(path, "a") as file:
        file.write('ss_nats": 2.0}\nnot json\n')
    assert [row["step"] for row in tail.fresh()] == [2]
    log({"step": 3, "loss_nats": float("nan")})  # is no JSON: left out, and the line stays readable
    (row,) = tail.fresh()
    assert "loss_nats" not in row


def fail(folder: Path) -> None:
    with live_log(folder, kind="finetune", key="1", label="a") as log:
        assert log is not None
        log({"step": 1})
        raise RuntimeError("boom")


def test_start_and_end_are_said(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="boom"):
        fail(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "finetune-1.jsonl").read_text().splitlines()]
    assert [row.get("event") for row in rows] == ["start", None, "failed"]
    assert rows[-1]["error"] == "RuntimeError: boom"
    with live_log(None, kind="finetune", key="1", label="a") as log:
        assert log is None


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with live_log(tmp_path / "file" / "live", kind="finetune", key="1", label="a") as log:
        assert log is not None
        log({"step": 1})


def test_a_stage_that_starts_anew_gives_no_point_twice() -> None:
    steps = [*range(1, 6), *range(1, 9)]  # killed after five steps
    follow = Training()
    found = [follow.metrics("a", {"time": float(n), "step": step, "loss_nats": 1.0}) for n, step in enumerate(steps)]
    assert [point["train/step"] for point in found if point] == list(range(1, 9))


def test_a_pool_adds_its_shards_up() -> None:
    follow = Solutions("sample")
    told = [("a", 4, 2, 40), ("b", 4, 0, 40), ("a", 8, 3, 80), ("a", 4, 1, 40), ("b", 8, 1, 100)]
    points = []
    for time_s, (name, done, correct, tokens) in enumerate(told):
        row = {"time": time_s, "done": done, "graded": done, "correct": correct, "truncated": 1, "tokens": tokens}
        points.append(follow.metrics(name, row))
    assert points[3] is None  # shard a starts anew: nothing goes back
    last = points[-1]
    assert last is not None
    assert (last["sample/draws"], last["sample/correct_frac"], last["sample/truncated_frac"]) == (16, 4 / 16, 2 / 16)
    assert last["sample/tokens_per_s"] == pytest.approx((180 - 40) / 4)


def test_a_pause_between_two_sweeps_is_no_part_of_the_speed() -> None:
    follow = Solutions("sample")
    rows = [
        ("a", {"time": 100.0, "event": "start"}),
        *(("a", {"time": 100.0 + 2 * n, "done": 4 * n, "tokens": 100 * n}) for n in (1, 2, 3)),
        ("b", {"time": 5000.0, "event": "start"}),
        *(("b", {"time": 5000.0 + 2 * n, "done": 4 * n, "tokens": 100 * n}) for n in (1, 2, 3)),
    ]
    found = [follow.metrics(name, row) for name, row in rows]
    speeds = [point.get("sample/tokens_per_s") for point in found if point is not None]
    assert speeds == [None, 50.0, 50.0, None, 50.0, 50.0]
    assert [point["sample/draws"] for point in found if point is not None] == [4, 8, 12, 16, 20, 24]


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 7), (7, 7), (412, 1319)])
def test_the_interval_of_a_share_is_scipys(hits: int, n: int) -> None:
    found = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n=n) == pytest.approx((found.low, found.high), abs=1e-6)
