"""Links planted in a study's folder under names that the harness writes: nothing outside is written or removed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.study import draw_study
from rft import cli
from rft.infra import driver
from rft.infra.cluster.register import Register
from rft.infra.live import LIVE_FOLDER, SLURM_FOLDER
from rft.infra.owners import Owner
from rft.infra.study import Study
from rft.infra.tracking import Sent
from rft.records import FAILURE_FILE, STUDY_FILE, write_json, write_jsonl
from rft.whole import own_file, whole_file, write_bytes, write_text

THEIRS = "theirs"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A file of somebody else."""
    (tmp_path / "other").write_text(THEIRS)
    return tmp_path / "other"


def test_every_writer_of_own_files_replaces_a_link(tmp_path: Path, other: Path):
    def whole(path: Path) -> None:
        with own_file(path) as file:
            file.write("ours")

    writers = [
        whole,
        lambda path: write_text(path, "ours"),
        lambda path: write_bytes(path, b"ours"),
        lambda path: write_json(path, "ours"),
        lambda path: write_jsonl(path, [{"a": 1}]),
    ]
    for number, write in enumerate(writers):
        path = tmp_path / f"file{number}"
        path.symlink_to(other)
        (tmp_path / f".{path.name}.{os.getpid()}.tmp").symlink_to(other)  # the name under which it is written first
        write(path)
        assert not path.is_symlink()
        assert path.stat().st_size
        assert other.read_text() == THEIRS


def test_where_a_user_says_to_write_a_link_stays_one(tmp_path: Path, other: Path):
    (tmp_path / "link").symlink_to(other)
    with whole_file(tmp_path / "link") as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink()
    assert other.read_text() == "new"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_study(tmp_path / "study", specs=grid(models=("nano-s",), fracs=(0.5, 1), methods=("sft",)), truth=Truth())
    return tmp_path / "study"


@pictures("png", "svg")
def test_drawing_replaces_linked_figures_and_refuses_a_linked_folder(study: Path, other: Path, tmp_path: Path):
    out = study / "figures"
    draw_study([study], out=out)
    names = sorted(path.name for path in out.iterdir())
    assert {"summary.txt", "fits.json", "claims.md", "records.csv"} < set(names)
    for path in list(out.iterdir()):
        path.unlink()
        path.symlink_to(other)
    draw_study([study], out=out)
    assert other.read_text() == THEIRS
    assert sorted(path.name for path in out.iterdir()) == names
    assert not any(path.is_symlink() for path in out.iterdir())
    out.rename(tmp_path / "elsewhere")
    out.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="figures is a link"):
        draw_study([study], out=out)


def say_alive(study: Path, *, token: str) -> None:
    """As a sweep that runs elsewhere would."""
    (study / LIVE_FOLDER).mkdir(exist_ok=True)
    owner = {**vars(Owner.this()), "machine": "0" * 8, "host": "another-machine"}
    row = {"token": token, "engine": "SLURM jobs", "owner": owner, "started": time.time(), "ended": None, "how": None}
    (study / LIVE_FOLDER / driver.DRIVER_FILE).write_text(json.dumps(row))


def test_the_wish_to_stop_is_written_in_the_study_alone(study: Path, other: Path, tmp_path: Path):
    say_alive(study, token="0123abcd")
    stop = study / LIVE_FOLDER / driver.STOP_FILE
    stop.symlink_to(other)
    cli.call(["stop", str(study), "--wait", "0"])
    assert other.read_text() == THEIRS
    assert stop.read_text() == "0123abcd"
    (study / LIVE_FOLDER).rename(tmp_path / "elsewhere")
    (study / LIVE_FOLDER).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / driver.STOP_FILE).unlink()
    assert cli.call(["stop", str(study), "--wait", "0"]) == 2
    assert not (tmp_path / "elsewhere" / driver.STOP_FILE).exists()


@pytest.mark.parametrize("token", ["ssh-ed25519 AAAA", "", "0123abcd\n", "0123ABCD", 7, None])
def test_a_token_is_eight_hexadecimal_digits(study: Path, token: object):
    say_alive(study, token=token)  # type: ignore[arg-type]
    assert driver.read(study) is None
    cli.call(["stop", str(study), "--wait", "0"])
    assert not (study / LIVE_FOLDER / driver.STOP_FILE).exists()


def test_files_that_a_sweep_keeps_beside_its_cells_replace_links(study: Path, other: Path):
    for folder, name in ((SLURM_FOLDER, "name"), (LIVE_FOLDER, driver.DRIVER_FILE)):
        (study / folder).mkdir(exist_ok=True)
        (study / folder / name).symlink_to(other)
    (study / SLURM_FOLDER / "name").unlink()
    (study / SLURM_FOLDER / "name").symlink_to(other.with_name("not there yet"))
    assert Register(study / SLURM_FOLDER).name.startswith("rft-")
    with driver.Driver.at_work(study, engine="local processes"):
        pass
    sent = Sent.of(study, "run")
    sent.path.parent.mkdir(parents=True)
    sent.path.symlink_to(other)
    sent.write()
    cell = Study(study, "s").cells()[0]["folder"]
    (study / cell / FAILURE_FILE).symlink_to(other)
    Study(study, "s").fail(cell, reason="new", stage=None)
    assert other.read_text() == THEIRS
    assert not other.with_name("not there yet").exists()
    assert not [path for path in study.rglob("*") if path.is_symlink()]


def test_a_linked_folder_of_jobs_is_refused(study: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (study / SLURM_FOLDER).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="is a link"):
        Study(study, "s").register(["new-1"])
    assert (study / STUDY_FILE).is_file()
