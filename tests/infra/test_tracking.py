"""The W&B mirror: what stages wrote can be read back with wandb's own reader, and no trouble there reaches us."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from wandb_offline import rows_of

from rft.infra.live import LIVE_FOLDER, Appender
from rft.infra.tracking import Mirror, RunPlan, TrackingSettings, stable_run_id

RUN_ID = stable_run_id("quickstart", "finetune-1")
PLAN = RunPlan(RUN_ID, "finetune nano-s", "finetune", {"method": "sft", "train.lr": 0.001}, files=("finetune-1.jsonl",))
START_S = 1764302400.0  # all times of the files: long before today


def settings(folder: Path, **changes: Any) -> TrackingSettings:
    fields: dict[str, Any] = {"mode": "offline", "project": "rft", "entity": None, "tags": ("quick",)}
    return TrackingSettings(**{**fields, "group": "quickstart-20261122", "folder": folder, "finish_s": 60.0, **changes})


def say(folder: Path, first: int, last: int, *, end: str | None = "done") -> None:
    """A training stage that runs from one step to another."""
    log = Appender(folder / LIVE_FOLDER / PLAN.files[0])
    log({"time": START_S, "event": "start", "pid": 1, "host": "elsewhere"})
    for step in range(first, last + 1):
        log({"time": START_S + step, "step": step, "loss_nats": 2.0 / step, "target_tokens": 10 * step})
    if end is not None:
        log({"time": START_S + last, "event": end})
    log.close()


def mirrored(folder: Path, *plans: RunPlan, **changes: Any) -> None:
    with Mirror(settings(folder, **changes), plans or (PLAN,)):
        pass


def history(folder: Path) -> list[dict[str, Any]]:
    (run,) = (folder / "wandb").glob(f"offline-run-*-{RUN_ID}")
    return [record["history"]["item"] for record in rows_of(run) if record["type"] == "history"]


def test_a_curve_reads_back_with_its_own_times(tmp_path: Path) -> None:
    say(tmp_path, 1, 20)
    mirrored(tmp_path)
    (folder,) = (tmp_path / "wandb").glob(f"offline-run-*-{RUN_ID}")
    records = rows_of(folder)
    run = next(record["run"] for record in records if record["type"] == "run")
    assert (run["run_id"], run["run_group"], run["job_type"]) == (RUN_ID, "quickstart-20261122", "finetune")
    assert (run["display_name"], run["project"], run["tags"]) == (PLAN.name, "rft", ["quick"])
    assert "host" not in run
    assert {key: run["config"]["update"][key] for key in PLAN.config} == PLAN.config
    points = history(tmp_path)
    assert [point["train/step"] for point in points] == list(range(1, 21))
    assert [point["_step"] for point in points] == list(range(20))
    assert [point["_timestamp"] for point in points] == [START_S + step for step in range(1, 21)]
    assert points[4]["train/loss"] == 0.4


def test_a_killed_and_resumed_stage_is_one_curve_and_a_third_look_adds_nothing(tmp_path: Path) -> None:
    say(tmp_path, 1, 12, end=None)
    mirrored(tmp_path)
    assert [point["train/step"] for point in history(tmp_path)] == list(range(1, 13))
    say(tmp_path, 1, 20)
    mirrored(tmp_path)
    assert [point["train/step"] for point in history(tmp_path)] == list(range(1, 21))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "wandb").glob("offline-run-*/*.wandb")}
    mirrored(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "wandb").glob("offline-run-*/*.wandb")} == before


def test_a_curve_that_was_computed_elsewhere_is_shown_from_the_store(tmp_path: Path) -> None:
    curve = tmp_path / "store" / "curve.jsonl"
    curve.parent.mkdir()
    rows = [{"step": n, "loss_nats": 1 / n, "lr": 0.1, "target_tokens": n, "elapsed_s": 2.0 * n} for n in (1, 2, 3)]
    curve.write_text("".join(json.dumps(row) + "\n" for row in rows))
    curve.with_name("manifest.json").write_text(json.dumps({"created": START_S + 6.0}))
    mirrored(tmp_path, RunPlan(RUN_ID, "base", "pretrain", {}, curve=curve))
    assert [point["_timestamp"] - START_S for point in history(tmp_path)] == [2.0, 4.0, 6.0]


def test_a_failed_stage_raises_one_alert(tmp_path: Path) -> None:
    log = Appender(tmp_path / LIVE_FOLDER / "sweep.jsonl")
    log({"time": START_S, "sweep/cells_done": 0})
    log({"time": START_S + 1, "event": "alert", "title": "finetune a diverged", "text": "the loss is nan"})
    log.close()
    sweep = RunPlan(RUN_ID, "sweep", "sweep", {}, files=("sweep.jsonl",))
    mirrored(tmp_path, sweep)
    (folder,) = (tmp_path / "wandb").glob(f"offline-run-*-{RUN_ID}")
    alerts = [record["alert"] for record in rows_of(folder) if record["type"] == "alert"]
    assert [(one["title"], one["text"]) for one in alerts] == [("finetune a diverged", "the loss is nan")]


def test_the_tables_of_a_sweep_take_no_place_of_its_lines(tmp_path: Path) -> None:
    """They come in between, and a line after them, the last one of a short sweep, says how many cells are done."""
    sweep = RunPlan(RUN_ID, "sweep", "sweep", {}, files=("sweep.jsonl",))
    log = Appender(tmp_path / LIVE_FOLDER / "sweep.jsonl")
    log({"time": START_S, "sweep/cells_done": 0})
    with Mirror(settings(tmp_path), (sweep,)):
        until_s = time.monotonic() + 60
        while not any(tmp_path.glob("wandb/offline-run-*/files/media/table/*")) and time.monotonic() < until_s:
            time.sleep(0.1)
        log({"time": START_S + 5, "sweep/cells_done": 3})
    log.close()
    points = history(tmp_path)
    assert [point["sweep/cells_done"] for point in points if "sweep/cells_done" in point] == [0, 3]
    assert [point["_step"] for point in points if "sweep/cells_done" in point] == [0, 1]
    assert any("results.nrows" in point for point in points)


def test_nothing_is_written_outside_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    say(tmp_path / "study", 1, 3)
    mirrored(tmp_path / "study")
    assert len(history(tmp_path / "study")) == 3
    assert list(home.rglob("*")) == []


def test_secrets_in_the_environment_stay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setenv("WANDB_API_KEY", secret)
    monkeypatch.setenv("SOME_TOKEN", secret)
    say(tmp_path, 1, 3)
    mirrored(tmp_path)
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]


@pytest.mark.parametrize(
    "fake_wandb",
    [
        "raise ImportError('no wandb here')",
        "import time; time.sleep(600)",
        "import os; os._exit(3)",
        "def init(**_): raise OSError(28, 'No space left on device')\nSettings = dict",
    ],
)
def test_trouble_delays_the_end_by_no_more_than_was_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_wandb: str
) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "wandb.py").write_text(fake_wandb)
    monkeypatch.syspath_prepend(str(tmp_path / "fake"))
    say(tmp_path / "study", 1, 3)
    started_s = time.monotonic()
    mirrored(tmp_path / "study", finish_s=4.0, linger_s=8.0)
    assert time.monotonic() - started_s < 6


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_an_unwritable_folder_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        mirrored(tmp_path / "file" / "study", mode=mode)
    assert len(caplog.records) == 1
    assert "results are not affected" in caplog.text


def test_online_without_network_is_kept_offline_at_once_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    say(tmp_path, 1, 5)
    with caplog.at_level(logging.WARNING):
        mirrored(tmp_path, mode="online")
    assert len(history(tmp_path)) == 5
    assert "cannot be reached" in caplog.text


@pytest.mark.parametrize("stopped", [False, True])
def test_no_temporary_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: bool) -> None:
    """wandb and its service make folders and sockets for media, artifacts and themselves."""
    (tmp_path / "t").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    say(tmp_path / "study", 1, 3)
    with suppress(KeyboardInterrupt), Mirror(settings(tmp_path / "study"), (PLAN,)):
        until_s = time.monotonic() + 60
        while not any((tmp_path / "t").glob("rft-wandb-*/*")) and time.monotonic() < until_s:
            time.sleep(0.1)
        if stopped:
            raise KeyboardInterrupt
    assert list((tmp_path / "t").iterdir()) == []


class _Half(BaseHTTPRequestHandler):
    """Knows every key and answers nothing else."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        if b"Viewer" not in asked or b"entity" not in asked or b"variables" in asked:
            time.sleep(120)
            return
        body = b'{"data": {"viewer": {"id": "1", "entity": "me"}}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.mark.slow
def test_a_run_that_the_server_does_not_open_is_kept_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Half)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    say(tmp_path, 1, 5)
    mirrored(tmp_path, mode="online", finish_s=150.0, linger_s=200.0)
    server.shutdown()
    server.server_close()
    assert len(history(tmp_path)) == 5


def test_disabled_starts_nothing(tmp_path: Path) -> None:
    mirrored(tmp_path / "study", mode="disabled")
    assert not (tmp_path / "study").exists()
    with pytest.raises(ValueError, match=r"tracking\.mode is 'on', allowed are offline, online, disabled"):
        Mirror(settings(tmp_path, mode="on"), ())


def test_run_ids_are_stable_and_distinct() -> None:
    assert stable_run_id("study", "a/b c=1") == stable_run_id("study", "a/b c=1")
    ids = {stable_run_id(s, c) for s in ("x", "y") for c in ("a/b", "a_b", "q" * 300, "q" * 301)}
    assert len(ids) == 8
    assert all(len(run_id) <= 100 and not set(run_id) & set("/\\#?%: ") for run_id in ids)


def test_mirror_does_not_import_wandb_here() -> None:
    code = textwrap.dedent(
        """
        import sys
        from rft.infra.tracking import Mirror
        assert "wandb" not in sys.modules and "torch" not in sys.modules
        """
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "full"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small tmpfs needs root")
    (folder / "ballast").write_bytes(bytes(60 << 10))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_folder_neither_raises_nor_hangs(full_disk: Path) -> None:
    say(full_disk, 1, 3)
    started_s = time.monotonic()
    mirrored(full_disk, finish_s=20.0, linger_s=20.0)
    assert time.monotonic() - started_s < 25
