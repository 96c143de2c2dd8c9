"""The stage store under real processes: computed once, taken over from the dead, damage found, refusals explained."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_children import finish, refuse_to_compute, wait_for, write_one

from rft.infra.digest import digest
from rft.infra.disk import StoreError
from rft.infra.entry import Busy
from rft.infra.store import Store

KEY = digest("a stage")

# A process that computes one stage: writes a line to `calls` when its computation starts, then takes `seconds`.
CHILD = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from rft.infra.store import Store

    root, calls, key, seconds, lease_s = sys.argv[1:]

    def fill(out):
        with open(calls, "a") as file:
            file.write(key + "\\n")
        (out / "part.txt").write_text("half")
        time.sleep(float(seconds))
        (out / "a.txt").write_text("content of " + key)

    entry = Store(Path(root), lease_s=float(lease_s)).compute("demo", key, fill, meta={"tokens": 7})
    print(entry.cache_hit, (entry.path / "a.txt").read_text(), flush=True)
    """
)


def start_child(
    root: Path, calls: Path, *, key: str = KEY, seconds: float = 0.3, lease_s: float = 60.0
) -> subprocess.Popen[str]:
    arguments = [str(root), str(calls), key, str(seconds), str(lease_s)]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True)


def scratch_of(store: Store) -> list[Path]:
    return list((store.root / ".scratch").iterdir()) + list((store.root / ".locks").iterdir())


def flip_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    stat = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def test_second_call_is_a_hit(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.get("demo", KEY) is None
    first = store.compute("demo", KEY, write_one, meta={"tokens": 5})
    second = store.compute("demo", KEY, refuse_to_compute, meta={"tokens": 5})
    assert (first.cache_hit, second.cache_hit) == (False, True)
    assert second.path == first.path == tmp_path / "demo" / KEY[:2] / KEY
    assert (second.path / "sub" / "a.txt").read_text() == "one"
    assert second.meta == {"tokens": 5, "flops": 2.0}
    assert second.seconds == first.seconds
    assert store.has("demo", KEY)
    assert scratch_of(store) == []


def test_three_processes_compute_once(tmp_path: Path) -> None:
    children = [start_child(tmp_path / "store", tmp_path / "calls") for _ in range(3)]
    answers = sorted(finish(child, within_s=30) for child in children)
    assert (tmp_path / "calls").read_text().splitlines() == [KEY]
    assert answers == [f"False content of {KEY}"] + [f"True content of {KEY}"] * 2


def test_killed_owner_is_taken_over(tmp_path: Path) -> None:
    owner = start_child(tmp_path / "store", tmp_path / "calls", seconds=60)
    wait_for(tmp_path / "calls", within_s=20)
    heir = start_child(tmp_path / "store", tmp_path / "calls", seconds=0)
    time.sleep(0.3)
    assert heir.poll() is None  # it waits while the owner lives
    owner.kill()
    owner.communicate()
    killed_s = time.monotonic()
    assert finish(heir, within_s=30) == f"False content of {KEY}"
    assert time.monotonic() - killed_s < 3
    store = Store(tmp_path / "store")
    entry = store.get("demo", KEY)
    assert entry is not None
    assert scratch_of(store) == []  # the dead owner's scratch folder is gone too


def test_frozen_owner_loses_its_lease_and_throws_its_work_away(tmp_path: Path) -> None:
    owner = start_child(tmp_path / "store", tmp_path / "calls", seconds=0.5, lease_s=1.0)
    wait_for(tmp_path / "calls", within_s=20)
    owner.send_signal(signal.SIGSTOP)
    try:
        heir = start_child(tmp_path / "store", tmp_path / "calls", seconds=0, lease_s=1.0)
        assert finish(heir, within_s=30) == f"False content of {KEY}"
    finally:
        owner.send_signal(signal.SIGCONT)
    assert (
        finish(owner, within_s=30) == f"True content of {KEY}"
    )  # woke up, found itself superseded, used the heir's result
    assert (tmp_path / "calls").read_text().splitlines() == [KEY, KEY]
    assert scratch_of(Store(tmp_path / "store")) == []
    assert not (tmp_path / "store" / "failed").exists()


def test_a_stage_longer_than_its_lease_is_kept_by_heartbeats(tmp_path: Path) -> None:
    owner = start_child(tmp_path / "store", tmp_path / "calls", seconds=5.0, lease_s=2.0)
    wait_for(tmp_path / "calls", within_s=20)
    heir = start_child(tmp_path / "store", tmp_path / "calls", seconds=0, lease_s=2.0)
    assert finish(owner, within_s=30) == f"False content of {KEY}"
    assert finish(heir, within_s=30) == f"True content of {KEY}"
    assert (tmp_path / "calls").read_text().splitlines() == [KEY]


def test_busy_instead_of_waiting(tmp_path: Path) -> None:
    owner = start_child(tmp_path / "store", tmp_path / "calls", seconds=0.5)
    wait_for(tmp_path / "calls", within_s=20)
    with pytest.raises(Busy):
        Store(tmp_path / "store").compute("demo", KEY, refuse_to_compute, meta={}, wait=False)
    waited: list[float] = []
    entry = Store(tmp_path / "store").compute("demo", KEY, refuse_to_compute, meta={}, on_wait=waited.append)
    assert entry.cache_hit
    assert waited
    finish(owner, within_s=30)


def test_failure_leaves_nothing_but_its_log(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail(out: Path) -> None:
        (out / "half.txt").write_text("half")
        raise RuntimeError("loss is NaN at step 3")

    with pytest.raises(RuntimeError, match="NaN at step 3"):
        store.compute("demo", KEY, fail, meta={})
    assert not store.has("demo", KEY)
    assert scratch_of(store) == []
    log = tmp_path / "failed" / f"demo-{KEY}.log"
    assert "loss is NaN at step 3" in log.read_text()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [log.name]
    store.compute("demo", KEY, write_one, meta={})
    assert not log.exists()  # it would be a lie now


def test_interrupt_leaves_no_failure_log(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def interrupted(out: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.compute("demo", KEY, interrupted, meta={})
    assert scratch_of(store) == []
    assert not (tmp_path / "failed").exists()


def test_bit_flip_is_named_and_recomputed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    entry = store.compute("demo", KEY, write_one, meta={})
    flip_bit(entry.path / "b.bin")
    again = store.compute("demo", KEY, write_one, meta={})
    assert not again.cache_hit
    assert "b.bin: content differs" in caplog.text
    assert (again.path / "b.bin").read_bytes() == bytes(range(256))
    assert len(list((tmp_path / ".quarantine").iterdir())) == 1


def test_bit_flip_that_hides_is_found_by_a_new_process_and_by_verify(tmp_path: Path) -> None:
    store = Store(tmp_path)
    entry = store.compute("demo", KEY, write_one, meta={})
    stat = (entry.path / "b.bin").stat()
    flip_bit(entry.path / "b.bin")
    os.utime(entry.path / "b.bin", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    copy = tmp_path.with_name("copy")
    shutil.copytree(tmp_path, copy)
    assert store.get("demo", KEY) is not None  # same size and time as this process wrote: not read again
    assert store.get("demo", KEY, verify=True) is None
    code = (
        "from pathlib import Path; from rft.infra.store import Store; "
        f"print(Store(Path({str(copy)!r})).get('demo', {KEY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
    assert "b.bin: content differs" in done.stderr


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "manifest.json").write_bytes((f / "manifest.json").read_bytes()[:40]), "truncated"),
        (lambda f: (f / "manifest.json").write_bytes(b""), "truncated"),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"), "not text"),
        (lambda f: (f / "manifest.json").write_text("[]"), "not a manifest"),
        (lambda f: flip_seconds(f / "manifest.json"), "differs from its own digest"),
        (lambda f: (f / "manifest.json").unlink(), "manifest.json: missing"),
        (lambda f: (f / "b.bin").write_bytes(b"short"), "b.bin: 5 bytes where"),
        (lambda f: (f / "sub" / "a.txt").unlink(), "sub/a.txt: missing"),
    ],
)
def test_damage_is_named_and_recomputed(tmp_path: Path, caplog: pytest.LogCaptureFixture, damage, message) -> None:  # type: ignore[no-untyped-def]
    store = Store(tmp_path)
    entry = store.compute("demo", KEY, write_one, meta={})
    damage(entry.path)
    assert not store.compute("demo", KEY, write_one, meta={}).cache_hit
    assert message in caplog.text
    assert store.compute("demo", KEY, refuse_to_compute, meta={}).cache_hit


def flip_seconds(manifest: Path) -> None:
    body = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**body, "seconds": body["seconds"] + 1}))


def test_entry_under_a_wrong_key_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(tmp_path)
    entry = store.compute("demo", KEY, write_one, meta={})
    other = digest("another stage")
    store.folder("demo", other).parent.mkdir(parents=True)
    entry.path.rename(store.folder("demo", other))
    assert store.get("demo", other) is None
    assert f"belongs to demo-{KEY}" in caplog.text


def test_copied_and_moved_store_still_hits(tmp_path: Path) -> None:
    Store(tmp_path / "here").compute("demo", KEY, write_one, meta={})
    shutil.copytree(tmp_path / "here", tmp_path / "copy")
    assert Store(tmp_path / "copy").compute("demo", KEY, refuse_to_compute, meta={}).cache_hit
    (tmp_path / "here").rename(tmp_path / "moved")
    assert Store(tmp_path / "moved").compute("demo", KEY, refuse_to_compute, meta={}).cache_hit


def test_unwritable_root_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match=r"cannot write in .*store.*set store\.root"):
        Store(tmp_path / "file" / "store").compute("demo", KEY, write_one, meta={})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted tmpfs of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk_is_explained_and_nothing_is_lost(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    store.compute("demo", KEY, write_one, meta={})

    def too_much(out: Path) -> None:
        (out / "weights.bin").write_bytes(bytes(1 << 20))

    with pytest.raises(StoreError, match=r"no space left in .*store.*store\.root"):
        store.compute("demo", digest("big"), too_much, meta={})
    assert store.get("demo", KEY, verify=True) is not None
    assert scratch_of(store) == []
    assert not store.compute("demo", digest("small"), write_one, meta={}).cache_hit  # the space is free again


def test_read_only_disk_still_serves_hits(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    store.compute("demo", KEY, write_one, meta={})
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert store.compute("demo", KEY, refuse_to_compute, meta={}).cache_hit
    with pytest.raises(StoreError, match="cannot write in"):
        store.compute("demo", digest("new"), write_one, meta={})


def test_a_stages_own_permission_error_is_not_the_stores(tmp_path: Path) -> None:
    def fill(out: Path) -> None:
        raise PermissionError(13, "Permission denied", "/elsewhere/train.jsonl")

    with pytest.raises(PermissionError, match="elsewhere"):
        Store(tmp_path / "store").compute("demo", KEY, fill, meta={})


def test_links_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="plain files and folders only"):
        Store(tmp_path).compute("demo", KEY, lambda out: (out / "link").symlink_to("/etc/hostname"), meta={})


@pytest.mark.parametrize(
    ("name", "key"), [("../x", KEY), ("a/b", KEY), (".hidden", KEY), ("failed", KEY), ("demo", "../../x"), ("demo", "")]
)
def test_bad_names_are_refused(tmp_path: Path, name: str, key: str) -> None:
    with pytest.raises(ValueError, match="a name has letters"):
        Store(tmp_path).compute(name, key, write_one, meta={})


def test_meta_is_checked_before_computing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="loss: nan"):
        Store(tmp_path).compute("demo", KEY, refuse_to_compute, meta={"loss": float("nan")})


def test_sweep_removes_only_what_the_dead_left(tmp_path: Path) -> None:
    live = start_child(tmp_path / "store", tmp_path / "live", key=digest("live"), seconds=1.0)
    dead = start_child(tmp_path / "store", tmp_path / "dead", key=digest("dead"), seconds=60)
    wait_for(tmp_path / "live", within_s=20)
    wait_for(tmp_path / "dead", within_s=20)
    dead.kill()
    dead.communicate()
    assert Store(tmp_path / "store").sweep() == 1
    assert finish(live, within_s=30).startswith("False")


def test_sweep_takes_away_the_lock_of_one_who_died_when_the_stage_was_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    locks = [store.lock_path("demo", digest(name)) for name in ("finished", "going on")]
    store.compute("demo", digest("finished"), write_one, meta={})
    hold = "import sys, time; from pathlib import Path; from rft.infra.leases import try_lease\n"
    hold += "with try_lease(Path(sys.argv[1]), lease_s=60.0): print('held', flush=True); time.sleep(60)"
    holders = [
        subprocess.Popen([sys.executable, "-c", hold, lock], stdout=subprocess.PIPE, text=True) for lock in locks
    ]
    try:
        for holder in holders:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
        holders[0].kill()
        holders[0].wait()
        assert all(lock.exists() for lock in locks)
        store.sweep()
        assert [lock.exists() for lock in locks] == [False, True]
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()


def test_entries_and_timings(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for i in range(3):
        store.compute("demo", digest(i), write_one, meta={"tokens": i})
    store.compute("other", digest(0), write_one, meta={})
    with open(tmp_path / "timings.jsonl", "a") as file:
        file.write('{"name": "demo", "sec')  # a crash in mid-line
    assert [timing.tokens for timing in store.timings()["demo"]] == [0, 1, 2]
    assert store.timings()["other"][0].flops == 2.0
    listed = list(store.entries())
    assert {(info.name, info.key, info.bytes) for info in listed} == {("demo", digest(i), 259) for i in range(3)} | {
        ("other", digest(0), 259)
    }


def test_overlapping_chains_in_two_processes_share_every_stage(tmp_path: Path) -> None:
    """Two runs of 12 stages, each stage reading the one before; every one computed once between them."""
    code = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from rft.infra.digest import digest
        from rft.infra.store import Store

        root, calls, mine = sys.argv[1:]
        store, key = Store(Path(root)), "00000000"
        for i in range(12):
            label = f"{i}" if i < 8 else f"{mine}{i}"
            key = digest([label, key])

            def fill(out, label=label):
                with open(calls, "a") as file:
                    file.write(label + "\\n")
                time.sleep(0.02)
                (out / "a.txt").write_text(label)

            assert (store.compute("chain", key, fill, meta={}).path / "a.txt").read_text() == label
        """
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "store"), str(tmp_path / "calls"), mine])
        for mine in ("left", "right")
    ]
    assert [child.wait(timeout=30) for child in children] == [0, 0]
    calls = (tmp_path / "calls").read_text().splitlines()
    assert sorted(calls) == sorted(
        [str(i) for i in range(8)] + [f"{m}{i}" for m in ("left", "right") for i in range(8, 12)]
    )


def test_a_store_of_earlier_keys_says_so_once(tmp_path: Path) -> None:
    said: list[str] = []
    Store(tmp_path / "new").announce(said.append)
    assert said == []
    (tmp_path / "old" / "trainset" / "ab").mkdir(parents=True)
    for _ in range(2):
        Store(tmp_path / "old").announce(said.append)
    (message,) = said
    assert "was made by an earlier version" in message
    Store(tmp_path / "new").announce(said.append)
    assert len(said) == 1


def test_a_file_that_was_added_to_a_stage_is_a_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A model's folder is read by libraries that take what they find."""
    store = Store(tmp_path)

    def fill(out: Path) -> None:
        (out / "a.txt").write_text("x")

    entry = store.compute("s", KEY, fill, meta={})
    assert store.get("s", KEY) is not None
    (entry.path / "special_tokens_map.json").write_text("{}")
    assert Store(tmp_path).get("s", KEY) is None
    assert "special_tokens_map.json: not among the stage's files" in caplog.text


def test_a_link_that_was_added_to_a_stage_is_a_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    store = Store(tmp_path)

    def fill(out: Path) -> None:
        (out / "a.txt").write_text("x")

    entry = store.compute("s", KEY, fill, meta={})
    (entry.path / "config.json").symlink_to("/etc/hostname")
    assert Store(tmp_path).get("s", KEY) is None
    assert "config.json: a stage may write plain files" in caplog.text
