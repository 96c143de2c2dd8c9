"""Cleaning a store beside everything that may still need it: live sweeps, other studies, what lies behind links."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from test_study import GRID, computed, records, start

from rft.archive.seals import seal
from rft.infra import reservations as module
from rft.infra.digest import digest
from rft.infra.owners import Owner
from rft.infra.reservations import gate, reservations, reserved
from rft.infra.store import Store
from rft.records import RECORD_FILE, STUDY_FILE, read_json, write_json
from rft.store import main


def put(store: Store, name: str) -> str:
    store.compute("shard", digest(name), lambda out: (out / "a.txt").write_text(name) and None, meta={})
    return digest(name)


def make_study(folder: Path, *keys: str) -> Path:
    (folder / "0").mkdir(parents=True)
    write_json(folder / STUDY_FILE, {"cells": [{"cell_id": "c", "folder": "0"}]})
    write_json(folder / "0" / RECORD_FILE, {"stages": [{"name": "any", "key": key} for key in keys]})
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "outputs" / ".store")


def gc(store: Store, *arguments: str) -> int:
    return main(["--root", str(store.root), "gc", *arguments, "--weights"])


def keys(store: Store) -> set[str]:
    return {info.key for info in store.entries()}


def test_a_sweep_keeps_all_its_records_while_gc_removes_whatever_it_may(tmp_path: Path):
    """The fault: 79 stages went, and sweeps ended with 18 and 16 of 20 records."""
    folder = tmp_path / "multirun_outputs"
    other = make_study(folder / "other", digest("nothing"))
    store, sweep = Store(folder / ".store"), start(tmp_path, *GRID)
    times = 0
    while sweep.poll() is None:
        if store.root.is_dir():
            times += gc(store, str(other), "--only", "--delete") == 0
        time.sleep(0.02)
    text = (tmp_path / "out.txt").read_text()
    assert sweep.returncode == 0, text
    assert len(records(folder / "s")) == 3
    assert times > 10
    assert len(computed(tmp_path)) == len(set(computed(tmp_path))), "a stage was removed and computed again"


def test_studies_beside_the_store_are_kept_without_being_named(store: Store):
    mine, lonely = put(store, "mine"), put(store, "lonely")
    make_study(store.root.parent / "s", mine)
    other = make_study(store.root.parent / "other", lonely)
    assert gc(store, "--delete") == 0
    assert keys(store) == {mine, lonely}
    assert gc(store, str(other), "--only", "--delete") == 0
    assert keys(store) == {lonely}


def test_two_studies_of_one_name_are_both_kept(store: Store, tmp_path: Path):
    mine, hers, lonely = (put(store, name) for name in ("mine", "hers", "lonely"))
    make_study(store.root.parent / "quickstart", mine)
    make_study(tmp_path / "elsewhere" / "quickstart", hers)
    assert gc(store, str(tmp_path / "elsewhere" / "quickstart"), "--delete") == 0
    assert keys(store) == {mine, hers}
    assert lonely not in keys(store)


def test_what_a_killed_removal_left_goes_with_the_next(store: Store, capsys: pytest.CaptureFixture[str]):
    make_study(store.root.parent / "s", put(store, "mine"))
    left = store.root / ".scratch" / f"finetune-{digest('gone')}.0123abcd"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(bytes(64))
    assert gc(store, "--delete") == 0
    assert not left.exists()
    assert "cleared 1 folders" in capsys.readouterr().out


def test_a_store_that_is_reached_by_a_link_is_cleaned_as_well(store: Store, tmp_path: Path):
    put(store, "lonely")
    (tmp_path / "link").symlink_to(store.root)
    assert gc(Store(tmp_path / "link"), "--delete") == 0
    assert keys(store) == set()


def test_reserved_stages_stay_until_the_sweep_ends(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    mine, lonely = put(store, "mine"), put(store, "lonely")
    with reserved(store, [mine], study=make_study(tmp_path / "elsewhere", mine), tell=print):
        assert gc(store, "--delete") == 0
        assert keys(store) == {mine}
        assert lonely not in keys(store)
        assert "kept: 1 stages that live sweeps have reserved" in capsys.readouterr().out
    assert reservations(store) == []
    assert gc(store, "--delete") == 0
    assert keys(store) == {mine}, "the study is noted, though it lies elsewhere and nobody names it"


def test_a_noted_study_that_is_gone_stops_removal_until_it_is_given_up(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    mine = put(store, "mine")
    with reserved(store, [mine], study=tmp_path / "gone", tell=print):
        pass
    assert gc(store, "--delete") == 2
    assert f"not found: the study {tmp_path / 'gone'}" in capsys.readouterr().out
    assert keys(store) == {mine}
    assert gc(store, "--delete", "--forget", str(tmp_path / "gone")) == 0
    assert keys(store) == set()


def test_a_dead_sweeps_reservation_expires_at_once_on_its_machine(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    put(store, "lonely")
    code = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from rft.infra.reservations import reserved
        from rft.infra.store import Store
        with reserved(Store(Path({str(store.root)!r})), [{digest("lonely")!r}], study=Path({str(tmp_path)!r}), tell=print):
            print("reserved", flush=True)
            time.sleep(60)
        """
    )
    sweep = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert sweep.stdout is not None
    assert sweep.stdout.readline() == "reserved\n"
    arguments = ("--delete", "--forget", str(tmp_path))
    assert gc(store, *arguments) == 0
    assert digest("lonely") in keys(store)
    sweep.kill()
    sweep.communicate()
    assert gc(store, *arguments) == 0
    assert "has ended without a word" in capsys.readouterr().out
    assert keys(store) == set()


@pytest.mark.parametrize(("silent_s", "live"), [(module.EXPIRES_S / 2, True), (module.EXPIRES_S * 2, False)])
def test_a_sweep_on_another_machine_lives_as_long_as_it_gives_signs(
    store: Store, tmp_path: Path, silent_s: float, live: bool
):
    with reserved(store, [digest("x")], study=tmp_path, tell=print):
        (path,) = (store.root / ".sweeps").glob("*.json")
        body = json.loads(path.read_text())
        path.write_text(json.dumps({**body, "owner": {**body["owner"], "machine": "another"}}))
        last = time.time() - silent_s
        os.utime(path.with_suffix(".beat"), (last, last))
        (found,) = reservations(store)
        assert found.live == live
        assert abs(found.silent_s - silent_s) < 30


def test_a_living_sweep_beats(store: Store, tmp_path: Path):
    with reserved(store, [], study=tmp_path, tell=print, beat_s=0.05):
        (path,) = (store.root / ".sweeps").glob("*.beat")
        before = path.read_text()
        deadline = time.monotonic() + 20
        while path.read_text() == before:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_process_is_told_from_a_later_one_of_its_number():
    me = Owner.this()
    assert not me.gone()
    assert Owner(me.machine, me.host, me.pid, me.start + 1).gone()
    assert not Owner("another", me.host, 2**22 + 1, 0).gone(), "nobody can look at another machine's processes"
    assert Owner(me.machine, me.host, 2**22 + 1, 0).gone()


def test_a_sweep_that_begins_waits_for_removal_to_end(store: Store, tmp_path: Path):
    entered: list[float] = []

    def sweep() -> None:
        with reserved(store, [], study=tmp_path, tell=lambda text: None):
            entered.append(time.monotonic())

    thread = threading.Thread(target=sweep)
    with gate(store, tell=print):
        thread.start()
        time.sleep(0.5)
        assert entered == []
        opened = time.monotonic()
    thread.join(timeout=20)
    assert entered[0] >= opened


@pytest.mark.parametrize("linked", ["shard", "shard/{prefix}", "shard/{prefix}/{key}", ".scratch"])
def test_nothing_behind_a_link_is_removed(store: Store, tmp_path: Path, linked: str, caplog: pytest.LogCaptureFixture):
    """The fault: 45 files outside the store went through a symlinked kind folder."""
    key = put(store, "mine")
    place = store.root / linked.format(prefix=key[:2], key=key)
    outside = tmp_path / "outside"
    place.rename(outside)
    place.symlink_to(outside)
    (outside / f"shard-{key}.0123").mkdir()
    before = sorted(path.relative_to(outside) for path in outside.rglob("*"))
    gc(store, "--delete")
    assert not store.remove("shard", key)
    store.sweep()
    assert sorted(path.relative_to(outside) for path in outside.rglob("*")) == before
    if linked != ".scratch":
        assert "is a link: what lies behind it is not listed and never removed" in caplog.text


def test_a_manifest_that_names_another_stage_removes_neither(store: Store, tmp_path: Path):
    mine, lonely = put(store, "mine"), put(store, "lonely")
    folder = store.folder("shard", lonely)
    (folder / "manifest.json").write_text((store.folder("shard", mine) / "manifest.json").read_text())
    make_study(store.root.parent / "s", digest("other"))
    gc(store, "--delete")
    assert folder.exists()
    assert not store.folder("shard", mine).exists()


def test_only_needs_to_be_told_what_to_keep(store: Store, capsys: pytest.CaptureFixture[str]):
    put(store, "mine")
    assert gc(store, "--only", "--delete") == 2
    assert "give at least one" in capsys.readouterr().err


def test_nothing_goes_while_a_record_is_not_what_was_written(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """One digit of a stage's key changed, and the stage that a finished cell rests on would have gone."""
    key, other = put(store, "used"), put(store, "not used")
    study = make_study(tmp_path / "outputs" / "s", key)
    place = study / "0"
    seal(place, record=read_json(place / RECORD_FILE), files=())
    write_json(place / RECORD_FILE, {"stages": []})
    assert gc(store, "--delete") == 2
    assert keys(store) == {key, other}
    assert "records are not what was written" in capsys.readouterr().out
    write_json(place / RECORD_FILE, {"stages": [{"name": "any", "key": key}]})
    assert gc(store, "--delete") == 0
    assert keys(store) == {key}
