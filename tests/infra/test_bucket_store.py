"""The store in a bucket under real processes, each with a cache of its own as on a machine of its own.

The same tests over a folder's URL, and over S3 as moto serves it where that is installed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from buckets import KINDS, require_s3, served
from store_children import finish, refuse_to_compute, wait_for, write_one

from rft.infra import cache_limit
from rft.infra.bucket_store import BucketStore
from rft.infra.buckets import Bucket
from rft.infra.cache_limit import CacheLimit
from rft.infra.claims import try_claim
from rft.infra.digest import digest
from rft.infra.disk import StoreError
from rft.infra.entry import Busy
from rft.infra.reservations import reservations, reserved
from rft.infra.store import Store
from rft.store import main

KEY = digest("a stage")
LARGE = 1 << 40

# A process on a machine of its own: computes stages in order, a line to `calls` for each computation.
CHILD = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from rft.infra import owners
    from rft.infra.bucket_store import BucketStore

    url, cache, calls, keys, seconds, lease_s, machine = sys.argv[1:]
    if machine:
        owners._machine = lambda: machine
    store = BucketStore(url, cache=Path(cache), cache_bytes=1 << 40, lease_s=float(lease_s))

    def fill(key, out):
        with open(calls, "a") as file:
            file.write(key + "\\n")
        time.sleep(float(seconds))
        (out / "a.txt").write_text("content of " + key)

    for key in keys.split(","):
        entry = store.compute("demo", key, lambda out: fill(key, out), meta={"tokens": 7})
        print(entry.cache_hit, (entry.path / "a.txt").read_text(), flush=True)
    """
)


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bucket for all tests of one kind."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "file":
        yield f"file://{folder}"
        return
    require_s3()
    with served(folder) as url:
        yield url


@pytest.fixture
def url(place: str, request: pytest.FixtureRequest) -> str:
    """A prefix of its own for each test."""
    return f"{place}/{digest(request.node.name)[:8]}"


def open_at(url: str, cache: Path, *, lease_s: float = 60.0) -> BucketStore:
    return BucketStore(url, cache=cache, cache_bytes=LARGE, lease_s=lease_s)


def start_child(
    url: str,
    folder: Path,
    *,
    name: str,
    keys: tuple[str, ...] = (KEY,),
    seconds: float = 0.3,
    lease_s: float = 60.0,
    machine: str = "",
) -> subprocess.Popen[str]:
    arguments = [url, str(folder / name), str(folder / "calls"), ",".join(keys), str(seconds), str(lease_s), machine]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True)


def test_another_machine_brings_what_one_has_computed(url: str, tmp_path: Path):
    here, there = open_at(url, tmp_path / "here"), open_at(url, tmp_path / "there")
    assert there.get("demo", KEY) is None
    first = here.compute("demo", KEY, write_one, meta={"tokens": 5})
    found = there.compute("demo", KEY, refuse_to_compute, meta={"tokens": 5})
    assert (first.cache_hit, found.cache_hit) == (False, True)
    assert (found.path / "sub" / "a.txt").read_text() == "one"
    assert (found.path / "b.bin").read_bytes() == bytes(range(256))
    assert found.digests == first.digests
    assert found.meta == {"tokens": 5, "flops": 2.0}
    assert there.has("demo", KEY)
    assert [info.key for info in there.entries()] == [KEY]
    assert Bucket(url).below(".claims") == []
    assert here.computing() == []


def test_eight_processes_compute_every_stage_once(url: str, tmp_path: Path):
    """Four machines of two processes; all walk through the same stages, the worst case of contention."""
    keys = tuple(digest(i) for i in range(6))
    children = [
        start_child(url, tmp_path, name=f"cache{i % 4}", keys=keys, seconds=0.05, machine=f"m{i % 4}") for i in range(8)
    ]
    answers = [finish(child, within_s=300).splitlines() for child in children]
    assert all([line.split()[-1] for line in answer] == list(keys) for answer in answers)
    assert sorted((tmp_path / "calls").read_text().splitlines()) == sorted(keys)
    assert sum(line.startswith("False") for answer in answers for line in answer) == len(keys)


@pytest.mark.parametrize("machine", ["", "another"])
def test_killed_owner_is_taken_over(url: str, tmp_path: Path, machine: str):
    """At once on its own machine; elsewhere after the lease."""
    owner = start_child(url, tmp_path, name="a", seconds=600, lease_s=2.0)
    wait_for(tmp_path / "calls", within_s=120)
    heir = start_child(url, tmp_path, name="b", seconds=0, lease_s=2.0, machine=machine)
    time.sleep(3.0)
    assert heir.poll() is None  # it waits while the owner lives
    owner.kill()
    owner.communicate()
    assert finish(heir, within_s=300) == f"False content of {KEY}"


def test_frozen_owner_loses_its_claim_and_throws_its_work_away(url: str, tmp_path: Path):
    owner = start_child(url, tmp_path, name="a", seconds=0.5, lease_s=2.0)
    wait_for(tmp_path / "calls", within_s=120)
    owner.send_signal(signal.SIGSTOP)
    try:
        heir = start_child(url, tmp_path, name="b", seconds=0, lease_s=2.0, machine="another")
        assert finish(heir, within_s=300) == f"False content of {KEY}"
    finally:
        owner.send_signal(signal.SIGCONT)
    assert finish(owner, within_s=300) == f"True content of {KEY}"
    assert (tmp_path / "calls").read_text().splitlines() == [KEY, KEY]
    assert Bucket(url).below(".claims") == []
    assert len(Bucket(url).below("demo/files")) == 1


def test_busy_instead_of_waiting(url: str, tmp_path: Path):
    store = open_at(url, tmp_path / "a")
    with try_claim(store.objects, f"demo-{KEY}", lease_s=60.0) as claim:
        assert claim is not None
        assert claim.ours()
        with pytest.raises(Busy):
            store.compute("demo", KEY, refuse_to_compute, meta={}, wait=False)
        assert store.computing() == [("demo", KEY)]
    assert not claim.ours()


def test_failure_leaves_nothing(url: str, tmp_path: Path):
    def fail(out: Path) -> None:
        (out / "half.txt").write_text("half")
        raise RuntimeError("loss is NaN at step 3")

    with pytest.raises(RuntimeError, match="NaN at step 3"):
        open_at(url, tmp_path / "a").compute("demo", KEY, fail, meta={})
    assert Bucket(url).below("") == []


@pytest.mark.parametrize("damage", ["flip", "missing", "manifest"])
def test_damage_in_the_bucket_is_named_and_recomputed(
    url: str, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
):
    open_at(url, tmp_path / "here").compute("demo", KEY, write_one, meta={})
    bucket = Bucket(url)
    (name,) = (one for one in bucket.below("demo/files") if one.endswith("b.bin"))
    if damage == "flip":
        bucket.put(name, bytes(255) + b"x")
    elif damage == "missing":
        bucket.remove(name)
    else:
        bucket.put(f"demo/manifests/{KEY}.json", b"{}")
    there = open_at(url, tmp_path / "there")
    assert there.get("demo", KEY) is None
    assert "will be computed again" in caplog.text
    assert len(bucket.names(".quarantine")) == 1
    again = there.compute("demo", KEY, write_one, meta={})
    assert (again.path / "b.bin").read_bytes() == bytes(range(256))
    assert open_at(url, tmp_path / "here").get("demo", KEY) is not None


def test_damage_in_the_cache_is_brought_again(url: str, tmp_path: Path):
    store = open_at(url, tmp_path / "here")
    entry = store.compute("demo", KEY, write_one, meta={})
    (entry.path / "b.bin").write_bytes(bytes(256))
    again = store.get("demo", KEY)
    assert again is not None
    assert (again.path / "b.bin").read_bytes() == bytes(range(256))


def test_a_removed_stage_is_gone_on_every_machine(url: str, tmp_path: Path):
    here, there = open_at(url, tmp_path / "here"), open_at(url, tmp_path / "there")
    here.compute("demo", KEY, write_one, meta={})
    assert there.get("demo", KEY) is not None
    assert here.remove("demo", KEY)
    assert there.get("demo", KEY) is None
    assert not there.remove("demo", KEY)
    assert Bucket(url).below("") == []
    third = open_at(url, tmp_path / "third")
    third.compute("demo", KEY, lambda out: (out / "c.txt").write_text("new") and None, meta={})
    for store in (here, there):
        found = store.get("demo", KEY)
        assert found is not None
        assert sorted(found.digests) == ["c.txt"], "the cache's own copy is of another computation"
    here.remove("demo", KEY)
    there.compute("demo", KEY, refuse_to_compute, meta={})
    assert third.get("demo", KEY) is not None


def test_an_upload_that_failed_is_taken_up_again(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = open_at(url, tmp_path / "here")
    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "upload", lambda *_: (_ for _ in ()).throw(StoreError("no network")))
        with pytest.raises(StoreError, match="no network"):
            store.compute("demo", KEY, write_one, meta={})
    assert open_at(url, tmp_path / "there").get("demo", KEY) is None
    store.compute("demo", KEY, refuse_to_compute, meta={})
    assert open_at(url, tmp_path / "there").get("demo", KEY) is not None


def test_an_unreachable_bucket_is_explained(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match=r"cannot read file://.*check that the bucket is there"):
        open_at(f"file://{tmp_path}/file/x", tmp_path / "a").compute("demo", KEY, write_one, meta={})
    with pytest.raises(ValueError, match="give a folder or a URL that fsspec opens"):
        open_at("nonsense://x", tmp_path / "a")


def test_the_cache_keeps_its_limit_and_what_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    cache = Store(tmp_path / "cache")
    limit = CacheLimit(cache, limit_bytes=2500, hold_s=600.0)
    for i in range(5):
        cache.compute("demo", digest(i), lambda out: (out / "a").write_bytes(bytes(1000)) and None, meta={})
        limit.used("demo", digest(i))
        last = time.time() - (1000 - i if i != 1 else 0)  # all are old but the second
        os.utime(cache.root / ".used" / f"demo-{digest(i)}", (last, last))
    limit.grown(1000)
    assert {info.key for info in cache.entries()} == {digest(1), digest(4)}
    monkeypatch.setattr(cache_limit.time, "time", lambda: 0.0)  # now all are in use
    limit = CacheLimit(cache, limit_bytes=500)
    limit.grown(1000)
    assert len(list(cache.entries())) == 2
    assert "all that is left is in use" in caplog.text


def test_gc_spares_what_sweeps_have_reserved(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    store = open_at(url, tmp_path / "here")
    for name in ("mine", "lonely"):
        store.compute("demo", digest(name), write_one, meta={})
    arguments = ["--root", url, "gc", "--delete", "--forget", str(tmp_path / "study")]
    with reserved(store, [digest("mine")], study=tmp_path / "study", tell=print):
        assert main(arguments) == 0
        assert [info.key for info in store.entries()] == [digest("mine")]
    assert reservations(store) == []
    assert main(arguments) == 0
    assert list(store.entries()) == []
    assert main(["--root", url, "ls"]) == 0
    assert "in all: 0 stages" in capsys.readouterr().out


LARGE_CHILD = textwrap.dedent(
    """
    import resource, sys
    from pathlib import Path
    from rft.infra.bucket_store import BucketStore

    url, cache, mebibytes, limit_mib = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit_mib) << 20,) * 2)  # an allocation beyond it fails

    def peak_kib():  # not ru_maxrss, which begins at what the starting process had
        status = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))

    def fill(out):
        block = bytes(range(256)) * 4096
        for shard in range(8):
            with open(out / f"model-{shard}.safetensors", "wb") as file:
                for i in range(int(mebibytes) // 8):
                    file.write(i.to_bytes(8, "little") + block[8:])

    start = peak_kib()
    entry = BucketStore(url, cache=Path(cache), cache_bytes=1 << 40).compute("finetune", "5f0c4a1e", fill, meta={})
    size = sum((entry.path / name).stat().st_size for name in entry.digests)
    peak = peak_kib()
    print(entry.cache_hit, size, (peak - start) // 1024, peak // 1024)
    """
)


LARGE_MIB, LIMIT_MIB = 2048, 512


@pytest.mark.slow
def test_weights_never_pass_through_memory_at_once(url: str, tmp_path: Path):
    """2 GiB in eight shards, made and uploaded by one process, brought by another, neither of which gets more than a quarter
    of that as memory."""
    for name, expected in (("here", "False"), ("there", "True")):
        arguments = [sys.executable, "-c", LARGE_CHILD, url, str(tmp_path / name), str(LARGE_MIB), str(LIMIT_MIB)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=1800)
        assert done.returncode == 0, done.stderr
        found, size, grown_mib, peak_mib = done.stdout.split()
        print(f"{url.partition(':')[0]} {name}: {grown_mib} MiB more, {peak_mib} MiB in all")
        assert (found, int(size)) == (expected, LARGE_MIB << 20)
        assert int(grown_mib) < 400
