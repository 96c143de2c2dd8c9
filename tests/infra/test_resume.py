"""Checkpoints of a stage: the newest whole one, whatever happened while it was written or since."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rft.infra.disk import StoreError
from rft.infra.resume import ResumePoints
from rft.infra.store import Store

KEY = "5f0c4a1e"


def points(folder: Path, key: str = KEY) -> ResumePoints:
    return ResumePoints(folder / "resume", name="finetune", key=key)


def write(text: str):
    return lambda folder: (folder / "state").write_text(text, encoding="utf-8")


def test_the_newest_one_is_kept_alone(tmp_path: Path) -> None:
    kept = points(tmp_path)
    assert kept.latest() is None
    for number in (9, 40, 100):
        assert kept.save(write(str(number)), number=number)
    (folder,) = kept.folder.iterdir()
    assert kept.latest() == folder
    assert (folder / "state").read_text(encoding="utf-8") == "100"


def test_what_is_half_written_damaged_or_of_another_stage_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = points(tmp_path)

    def killed(folder: Path) -> None:
        write("half")(folder)
        raise KeyboardInterrupt

    kept.save(write("good"), number=1)
    with pytest.raises(KeyboardInterrupt):
        kept.save(killed, number=2)
    good = kept.latest()
    assert good is not None
    assert [good] == list(kept.folder.iterdir())
    assert points(tmp_path, "0123abcd").latest() is None
    assert "belongs to finetune-5f0c4a1e" in caplog.text
    kept.save(write("good"), number=1)
    (folder,) = kept.folder.iterdir()
    (folder / "state").write_text("goof", encoding="utf-8")
    assert kept.latest() is None
    assert "state: content differs from its digest" in caplog.text
    assert list(kept.folder.iterdir()) == []


def test_one_of_other_code_or_other_inputs_is_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert points(tmp_path).on("one basis").save(write("state"), number=1)
    assert points(tmp_path).on("one basis").latest() is not None
    assert points(tmp_path).on("another").latest() is None
    assert "other code" in caplog.text
    assert points(tmp_path).on("one basis").latest() is None


def test_a_full_disk_is_a_warning_and_the_last_one_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def full(folder: Path) -> None:
        raise StoreError("no space left")

    kept = points(tmp_path)
    kept.save(write("good"), number=1)
    with caplog.at_level(logging.WARNING, "rft"):
        assert not kept.save(full, number=2)
    assert "no space left" in caplog.text
    assert kept.latest() is not None


def test_a_store_keeps_them_until_the_stage_is_finished(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = store.resume_points("finetune", KEY)

    def fill(out: Path) -> dict[str, float]:
        write("weights")(out)
        kept.save(write("state"), number=3)
        if len(seen) == 0:
            seen.append(kept.latest())
            raise RuntimeError("diverged")
        return {"earlier_s": 100.0}

    seen: list[Path | None] = []
    with pytest.raises(RuntimeError, match="diverged"):
        store.compute("finetune", KEY, fill, meta={})
    assert kept.latest() == seen[0]
    entry = store.compute("finetune", KEY, fill, meta={})
    assert not kept.folder.exists()
    assert 100.0 <= entry.seconds < 200.0
    assert entry.meta == {}
