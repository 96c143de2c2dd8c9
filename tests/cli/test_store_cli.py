"""The store's command line on a real store: what is listed, what goes, what stays."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from rft.infra.digest import digest
from rft.infra.holdings import PINS_FILE
from rft.infra.store import Store
from rft.records import RECORD_FILE, STUDY_FILE, write_json
from rft.store import main

KEYS = {name: digest(name) for name in ("pretrain", "finetune", "shard", "evaluate", "lonely", "weights")}


def put(store: Store, kind: str, key: str, *, files: dict[str, int], identity: dict[str, Any] | None = None) -> None:
    def fill(out: Path) -> None:
        for name, size in files.items():
            (out / name).write_bytes(b"x" * size)

    store.compute(kind, key, fill, meta={"identity": identity or {}})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A base, its fine-tuned model, a pool and an evaluation that one study uses; a shard and weights that none does."""
    store = Store(tmp_path / "outputs" / ".store")
    put(store, "pretrain", KEYS["pretrain"], files={"model.safetensors": 3000})
    put(store, "finetune", KEYS["finetune"], files={"model.safetensors": 2000}, identity={"base": KEYS["pretrain"]})
    for kind in ("shard", "evaluate"):
        identity = {"generation": {"model": "nano-s"}, "weights": KEYS["finetune"]}
        put(store, kind, KEYS[kind], files={"a.jsonl": 100}, identity=identity)
    put(store, "shard", KEYS["lonely"], files={"a.jsonl": 500})
    put(store, "finetune", KEYS["weights"], files={"model.safetensors": 7000})
    make_study(tmp_path / "outputs" / "first", [KEYS[name] for name in ("pretrain", "finetune", "shard", "evaluate")])
    return store


def make_study(folder: Path, keys: list[str], *, cells: int = 1) -> None:
    (folder / "0").mkdir(parents=True)
    rows = [{"cell_id": f"c{n}", "folder": str(n), "cell": {}} for n in range(cells)]
    write_json(folder / STUDY_FILE, {"cells": rows})
    write_json(folder / "0" / RECORD_FILE, {"stages": [{"name": "any", "key": key} for key in keys]})


def run(store: Store, *arguments: str) -> int:
    return main(["--root", str(store.root), *arguments])


def keys(store: Store) -> set[str]:
    return {info.key for info in store.entries()}


def test_ls_says_kind_model_size_and_who_uses_it(store: Store, capsys: pytest.CaptureFixture[str]):
    assert run(store, "ls") == 0
    lines = {tuple(line.split()[:2]): line for line in capsys.readouterr().out.splitlines()}
    tuned = lines["finetune", KEYS["finetune"][:8]]
    assert "nano-s" in tuned
    assert "2.0 kB" in tuned
    assert tuned.endswith("first")
    assert "nano-s" in lines["pretrain", KEYS["pretrain"][:8]], "known through the model made from it"
    assert lines["shard", KEYS["lonely"][:8]].endswith("-")


def test_gc_only_tells_unless_it_is_told_to_delete(store: Store, capsys: pytest.CaptureFixture[str]):
    before = keys(store)
    assert run(store, "gc", str(store.root.parent / "first")) == 0
    out = capsys.readouterr().out
    assert "would free 500 B in 1 stages" in out
    assert "1 unused stages with weights, 7.0 kB" in out
    assert keys(store) == before


def test_gc_removes_what_no_record_rests_on(store: Store):
    assert run(store, "gc", str(store.root.parent / "first"), "--delete") == 0
    assert keys(store) == set(KEYS.values()) - {KEYS["lonely"]}
    assert not list((store.root / ".scratch").iterdir())
    assert run(store, "gc", str(store.root.parent / "first"), "--delete", "--weights") == 0
    assert keys(store) == set(KEYS.values()) - {KEYS["lonely"], KEYS["weights"]}


def test_a_removed_stage_is_computed_again(store: Store):
    run(store, "gc", str(store.root.parent / "first"), "--delete")
    assert store.get("shard", KEYS["lonely"]) is None
    put(store, "shard", KEYS["lonely"], files={"a.jsonl": 500})
    assert store.get("shard", KEYS["lonely"]) is not None


def test_every_given_study_is_kept(store: Store):
    make_study(store.root.parent / "second", [KEYS["lonely"]])
    run(store, "gc", str(store.root.parent / "first"), str(store.root.parent / "second"), "--delete", "--weights")
    assert keys(store) == set(KEYS.values()) - {KEYS["weights"]}


def test_what_is_pinned_stays_until_it_is_unpinned(store: Store):
    make_study(store.root.parent / "empty", [])
    assert run(store, "pin", str(store.root.parent / "first"), KEYS["lonely"][:10]) == 0
    run(store, "gc", str(store.root.parent / "empty"), "--only", "--delete", "--weights")
    assert keys(store) == set(KEYS.values()) - {KEYS["weights"]}
    run(store, "unpin", KEYS["lonely"])
    run(store, "gc", str(store.root.parent / "empty"), "--only", "--delete", "--weights")
    assert keys(store) == set(KEYS.values()) - {KEYS["weights"], KEYS["lonely"]}
    run(store, "unpin", str(store.root.parent / "first"))
    run(store, "gc", str(store.root.parent / "empty"), "--only", "--delete", "--weights")
    assert keys(store) == set()
    assert (store.root / PINS_FILE).is_file()


def test_nothing_goes_while_a_process_computes(store: Store, capsys: pytest.CaptureFixture[str]):
    code = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from rft.infra.store import Store
        Store(Path({str(store.root)!r})).compute("finetune", {digest("running")!r}, lambda out: time.sleep(60), meta={{}})
        """
    )
    child = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 30
        while not list(store.root.glob(".scratch/finetune-*")) and time.monotonic() < deadline:
            time.sleep(0.02)
        before = keys(store)
        assert run(store, "gc", str(store.root.parent / "first"), "--delete", "--weights") == 1
        assert "1 stages are being computed now" in capsys.readouterr().out
        assert keys(store) == before
    finally:
        child.kill()
        child.wait()
    assert run(store, "gc", str(store.root.parent / "first"), "--delete", "--weights") == 0, "its owner is dead"
    assert KEYS["lonely"] not in keys(store)


def test_unfinished_cells_are_pointed_out(store: Store, capsys: pytest.CaptureFixture[str]):
    make_study(store.root.parent / "half", [KEYS["shard"]], cells=3)
    run(store, "gc", str(store.root.parent / "half"))
    assert "2 cells of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gc", "nowhere"], "nowhere is no study folder"),
        (["pin", "nowhere"], "neither a study folder nor a stage key"),
        (["pin", "00000000"], "0 stages of"),
    ],
)
def test_mistakes_are_explained(store: Store, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert run(store, *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_store_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--root", str(tmp_path / "none"), "ls"]) == 2
    assert "there is no store in" in capsys.readouterr().err
