"""Disks that take no more, or nothing at all: one clear message, no half file, what was there before stays.

A small disk is a real one (tmpfs) where this user may mount; everywhere, a limit on the size of files refuses the real write.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import resource
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from rft import select
from rft.infra.disk import StoreError
from rft.infra.store import Store
from rft.infra.study import Study
from rft.records import read_jsonl, write_json, write_jsonl

KEY = "0123456789abcdef"
REPOSITORY = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def files_at_most(num_bytes: int) -> Iterator[None]:
    """The kernel refuses to let a file grow beyond it (Python has SIGXFSZ ignored: the write fails with EFBIG)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Of 256 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a small disk: run `make faults` as root in a container of its own")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def random_rows(num_bytes: int) -> Iterator[dict[str, str]]:
    for _ in range(num_bytes // 1000):
        yield {"text": os.urandom(500).hex()}


def write_outcomes(study: Study, name: str) -> None:
    with study.failing(name):
        write_jsonl(study.folder / name / "outcomes.jsonl.gz", random_rows(1_000_000))


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fill(out: Path) -> None:
    write_jsonl(out / "samples.jsonl", random_rows(1_000_000))


@pytest.mark.parametrize("way", ["disk", "limit"])
def test_a_stage_that_finds_no_room_leaves_nothing_and_says_what_to_do(tmp_path: Path, way: str, request):  # type: ignore[no-untyped-def]
    root = request.getfixturevalue("small_disk") / "store" if way == "disk" else tmp_path / "store"
    store = Store(root)
    store.compute("demo", "f" * 16, lambda out: write_json(out / "a.json", 1), meta={})
    with files_at_most(100_000) if way == "limit" else contextlib.nullcontext():
        for key in (KEY, KEY[::-1]):  # one message for all stages that meet it
            with pytest.raises(StoreError, match=r"^no space left in \S+store: free some, or set store.root to"):
                store.compute("demo", key, fill, meta={})
    assert [name for name in names(root) if "tmp" in name or name.startswith((".scratch", ".locks"))] == []
    assert store.get("demo", "f" * 16, verify=True) is not None
    if way == "limit":
        assert store.compute("demo", KEY, fill, meta={}).cache_hit is False


@pytest.mark.parametrize("way", ["disk", "limit"])
def test_a_cell_that_finds_no_room_has_no_record_and_no_empty_outcomes(tmp_path: Path, way: str, request):  # type: ignore[no-untyped-def]
    folder = request.getfixturevalue("small_disk") / "s" if way == "disk" else tmp_path / "s"
    study = Study(folder, "s")
    study.register(["a-1", "b-2"])
    (folder / "a-1").mkdir()
    write_jsonl(folder / "a-1" / "outcomes.jsonl.gz", [{"id": "x"}])
    before = (folder / "a-1" / "outcomes.jsonl.gz").read_bytes()
    with files_at_most(100_000) if way == "limit" else contextlib.nullcontext():
        for name in ("a-1", "b-2"):
            (folder / name).mkdir(exist_ok=True)
            with pytest.raises(StoreError, match=r"^no space left in \S+: free some, or set hydra.sweep.dir to"):
                write_outcomes(study, name)
    assert (folder / "a-1" / "outcomes.jsonl.gz").read_bytes() == before
    assert not (folder / "b-2" / "outcomes.jsonl.gz").exists()
    assert not [name for name in names(folder) if name.endswith(".tmp")]
    assert [entry["cell_id"] for entry in study.cells()] == ["a-1", "b-2"]
    assert len(study.summary()[1]) == 2


def test_the_list_of_cells_survives_a_full_disk(small_disk: Path):
    study = Study(small_disk / "s", "s")
    study.register(["a-1"])
    with contextlib.suppress(OSError):
        for _ in range(100):
            with open(small_disk / "rest", "ab") as rest:
                rest.write(os.urandom(4096))
    with pytest.raises(StoreError, match="no space left in"):
        study.register([f"b-{i}" for i in range(200)])
    (small_disk / "rest").unlink()
    assert [entry["cell_id"] for entry in study.cells()] == ["a-1"]
    study.register(["b-2"])


def test_kept_rows_are_written_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = [
        {"id": f"q{i}", "gold": "7", "text": f"{i}+7=<<{i}+7={i + 7}>>{i + 7}\n#### 7", "draw": 0} for i in range(400)
    ]
    write_jsonl(tmp_path / "in.jsonl", rows)
    (tmp_path / "out.jsonl").write_text("the former result\n")
    with files_at_most(10_000):
        assert select.main([str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.jsonl")]) == 2
    assert f"File too large: '{tmp_path}/out.jsonl'" in capsys.readouterr().err
    assert (tmp_path / "out.jsonl").read_text() == "the former result\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]
    assert select.main([str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.jsonl")]) == 0
    assert len(list(read_jsonl(tmp_path / "out.jsonl"))) == 400


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path):
    """As a user without rights, in a process of its own: root may write everywhere."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    for parent in (tmp_path, *(one for one in tmp_path.parents if str(one).startswith(f"{tempfile.gettempdir()}/"))):
        parent.chmod(parent.stat().st_mode | 0o055)
    code = textwrap.dedent(
        f"""
        import os, sys
        sys.path[:0] = [{str(REPOSITORY)!r}]
        from pathlib import Path
        from rft.infra.store import Store
        os.setuid(65534) if os.getuid() == 0 else None
        try:
            Store(Path({str(tmp_path / "store")!r})).compute("demo", "{KEY}", lambda out: None, meta={{}})
        except Exception as error:
            print(type(error).__name__, error)
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if "Permission denied: '/root" in done.stderr:
        pytest.skip("another user may not read this interpreter")
    assert done.stdout.startswith(f"StoreError cannot write in {tmp_path}/store while"), done.stdout + done.stderr
    assert "set store.root to a folder that you may write to" in done.stdout
    assert names(tmp_path / "store") == []


def test_json_lines_are_whole(tmp_path: Path):
    write_jsonl(tmp_path / "a.jsonl.gz", [{"a": 1}])

    def breaking() -> Iterator[dict[str, int]]:
        yield {"a": 2}
        raise RuntimeError("the stage failed")

    with pytest.raises(RuntimeError):
        write_jsonl(tmp_path / "a.jsonl.gz", breaking())
    assert json.loads(gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes())) == {"a": 1}
    assert names(tmp_path) == ["a.jsonl.gz"]
