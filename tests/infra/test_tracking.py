"""The W&B mirror: what is written can be read back with wandb's own reader, and no trouble there reaches us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rft.infra.tracking import Mirror, TrackingSettings, mirror_run, stable_run_id

RUN: dict[str, Any] = {
    "run_id": stable_run_id("quickstart", "nano-s_sft_f1_s0-1a2b3c4d"),
    "name": "nano-s_sft_f1_s0",
    "job_type": "cell",
    "config": {"method": "sft", "data_frac": 0.5, "train": {"lr": 0.001}},
    "history": [{"step": 10 * i, "loss_nats": 2.0 / (i + 1)} for i in range(20)],
    "summary": {"maj1@1": 0.41, "maj1@1_se": 0.01},
    "table": (["question", "text", "outcome"], [["Ann has 3?", "3*17=<<3*17=51>>51\n#### 51", "correct"]]),
}


def settings(folder: Path, **changes: Any) -> TrackingSettings:
    fields: dict[str, Any] = {"mode": "offline", "project": "rft", "entity": None, "tags": ("quick",)}
    return TrackingSettings(**{**fields, "group": "quickstart-20261122", "folder": folder, **changes})


def read_back(run_folder: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(run_folder)]
    private = {"WANDB_DIR": str(run_folder), "WANDB_CONFIG_DIR": str(run_folder), "WANDB_CACHE_DIR": str(run_folder)}
    out = subprocess.check_output(command, text=True, env={**os.environ, **private}, timeout=60)
    return [json.loads(line) for line in out.splitlines()]


def test_offline_run_reads_back(tmp_path: Path) -> None:
    with Mirror(settings(tmp_path)) as mirror:
        first = mirror.run(**{**RUN, "history": RUN["history"][:12]})  # the cell was interrupted here
        status = mirror.run(**RUN)
    assert first.startswith("offline: wandb/offline-run-")
    runs = list((tmp_path / "wandb").glob("offline-run-*"))
    assert [f"offline: wandb/{run.name}" for run in runs] == [status]  # the resumed cell is the same, single run
    records = read_back(runs[0])
    run = next(record["run"] for record in records if record["type"] == "run")
    assert (run["run_id"], run["run_group"], run["job_type"]) == (RUN["run_id"], "quickstart-20261122", "cell")
    assert (run["display_name"], run["project"], run["tags"]) == (RUN["name"], "rft", ["quick"])
    assert "host" not in run
    assert {key: run["config"]["update"][key] for key in RUN["config"]} == RUN["config"]
    items = [record["history"]["item"] for record in records if record["type"] == "history"]
    curve = [{"step": item["step"], "loss_nats": item["loss_nats"]} for item in items if "loss_nats" in item]
    assert curve == RUN["history"]
    summary: dict[str, Any] = {}
    for record in records:
        if record["type"] == "summary":
            summary.update(record["summary"]["update"])
    assert {key: summary[key] for key in RUN["summary"]} == RUN["summary"]
    assert summary["samples.nrows"] == 1
    table = json.loads((runs[0] / "files" / summary["samples.path"]).read_text())
    assert table["columns"] == RUN["table"][0]
    assert table["data"] == RUN["table"][1]


def test_nothing_is_written_outside_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    assert mirror_run(settings(tmp_path / "study"), **RUN).startswith("offline:")
    assert list(home.rglob("*")) == []


def test_secrets_in_the_environment_stay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setenv("WANDB_API_KEY", secret)
    monkeypatch.setenv("SOME_TOKEN", secret)
    assert mirror_run(settings(tmp_path), **RUN).startswith("offline:")
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]


@pytest.mark.parametrize(
    ("fake_wandb", "reason"),
    [
        ("raise ImportError('no wandb here')", "no wandb here"),
        ("import time; time.sleep(60)", "no answer within 1.5 s"),
        ("import os; os._exit(3)", "ended by itself"),
        ("def init(**_): raise OSError(28, 'No space left on device')\nSettings = dict", "No space left"),
    ],
)
def test_trouble_is_a_status_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fake_wandb: str, reason: str
) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "wandb.py").write_text(fake_wandb)
    monkeypatch.syspath_prepend(str(tmp_path / "fake"))
    started_s = time.monotonic()
    with Mirror(settings(tmp_path / "study", timeout_s=1.5)) as mirror:
        statuses = [mirror.run(**RUN) for _ in range(3)]
    assert time.monotonic() - started_s < 5
    assert all(status.startswith("failed: ") and reason in status for status in statuses)
    assert len(caplog.records) == 1


def test_unwritable_folder_is_a_status(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert mirror_run(settings(tmp_path / "file" / "study"), **RUN).startswith("failed: ")


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


def test_full_folder_neither_raises_nor_hangs(full_disk: Path) -> None:
    started_s = time.monotonic()
    status = mirror_run(settings(full_disk, timeout_s=20.0), **RUN)
    assert time.monotonic() - started_s < 40
    assert status.startswith("failed: "), status


def test_online_without_network_is_a_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef0123456789abcdef01234567")
    started_s = time.monotonic()
    status = mirror_run(settings(tmp_path, mode="online", timeout_s=4.0), **RUN)
    assert status.startswith("failed: ")
    assert time.monotonic() - started_s < 20


def test_disabled_starts_nothing(tmp_path: Path) -> None:
    assert mirror_run(settings(tmp_path / "study", mode="disabled"), **RUN) == "disabled"
    assert not (tmp_path / "study").exists()
    with pytest.raises(ValueError, match=r"tracking\.mode is 'on', allowed are offline, online, disabled"):
        Mirror(settings(tmp_path, mode="on"))


def test_run_ids_are_stable_and_distinct() -> None:
    assert stable_run_id("study", "a/b c=1") == stable_run_id("study", "a/b c=1")
    ids = {stable_run_id(s, c) for s in ("x", "y") for c in ("a/b", "a_b", "q" * 300, "q" * 301)}
    assert len(ids) == 8
    assert all(len(run_id) <= 100 and not set(run_id) & set("/\\#?%: ") for run_id in ids)


def test_mirror_does_not_import_wandb_here(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import sys
        from rft.infra.tracking import Mirror
        assert "wandb" not in sys.modules and "torch" not in sys.modules
        """
    )
    subprocess.run([sys.executable, "-c", code], check=True)
