"""Stages on a tiny configuration: golden outputs of the text stages, and what a bad input says."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from composing import composed, tiny

from rft.execute.stages import execute
from rft.infra.store import Store
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.stages.problems import PROBLEMS_FILE, Golds, Leakage, Part, ProblemFile, Problems

# Raise the version of the stage (its class in rft.stages) together with these digests,
# and only when its output is meant to change.
GOLDEN = {"train": "dfb1b459b01d9971", "test": "ad6b065e47c6ed49"}


def computed(tmp_path: Path, *overrides: str) -> dict[str, Path]:
    """Folders of what a cell trains on, is scored on and makes."""
    cfg = tiny(*overrides)
    cell = plan(cfg, resolve(cfg))
    store = Store(tmp_path / "store")
    execute(cell.stages, store=store, runtime=cfg.runtime)
    train, test = cell.read.problems
    found = {"train": train, "test": test, "trainset": cell.read.trained.trainset, "model": cell.read.trained.weights}
    return {name: store.folder(stage.kind, stage.key) for name, stage in found.items() if stage is not None}


@pytest.fixture(scope="module")
def rft_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return computed(tmp_path_factory.mktemp("rft"), "method=rft", "k=2", "temperature=1.5")


def test_the_world_is_the_golden_one(rft_folders: dict[str, Path]):
    contents = {name: (rft_folders[name] / PROBLEMS_FILE).read_bytes() for name in GOLDEN}
    found = {name: hashlib.sha256(content).hexdigest()[:16] for name, content in contents.items()}
    assert found == GOLDEN, "the embedded world changed: raise the version of stage 'world_problems' with this digest"


def test_the_trainset_holds_human_problems_once_then_kept_paths(rft_folders: dict[str, Path]):
    rows = [json.loads(line) for line in (rft_folders["trainset"] / "examples.jsonl").read_text().splitlines()]
    human = [row["id"] for row in rows if row["source"] == "human"]
    assert len(human) == len(set(human)) == 16
    assert {row["id"] for row in rows if row["source"] == "kept"} <= set(human)


def test_zero_kept_paths_train_on_the_human_set_alone(tmp_path: Path):
    sft = computed(tmp_path, "method=sft")
    rft = computed(tmp_path, "method=rft", "k=1", "data.max_new_tokens=1")  # nothing can be right in one token
    assert (sft["trainset"] / "examples.jsonl").read_text() == (rft["trainset"] / "examples.jsonl").read_text()
    curves = [
        [json.loads(row)["loss_nats"] for row in (f["model"] / "curve.jsonl").read_text().splitlines()]
        for f in (sft, rft)
    ]
    assert curves[0] == pytest.approx(curves[1], rel=1e-5)


def test_smaller_fractions_nest(tmp_path: Path):
    ids = []
    for frac in (0.25, 0.5, 1.0):
        folder = computed(tmp_path, "method=sft", f"data_frac={frac}")["trainset"]
        ids.append([json.loads(line)["id"] for line in (folder / "examples.jsonl").read_text().splitlines()])
    assert [len(rows) for rows in ids] == [4, 8, 16]
    assert set(ids[0]) < set(ids[1]) < set(ids[2])


def files(
    tmp_path: Path, train: str, test: str = '{"question": "Q?", "answer": "1+1=<<1+1=2>>2\\n#### 2"}\n'
) -> list[str]:
    (tmp_path / "train.jsonl").write_text(train)
    (tmp_path / "test.jsonl").write_text(test)
    return [
        "data=gsm8k",
        "model=smollm2-135m",
        f"model.path={tmp_path}/model",
        f"data.train_path={tmp_path}",
        f"data.test_path={tmp_path}",
    ]


GOOD = '{"question": "A?", "answer": "<<1+2=3>>3\\n#### 3"}\n'


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("", "holds no problem"),
        (GOOD + "not json\n", "line 2 is not JSON"),
        (GOOD + '{"question": "B?"}\n', "line 2 lacks the field 'answer'"),
        (GOOD + GOOD, "line 2 repeats the problem of line 1"),
        (GOOD + '{"question": "B?", "answer": "no gold"}\n', "line 2 has no parsable gold answer"),
        ('{"question": "Q ?", "answer": "#### 2"}\n', "are in the test set"),
    ],
)
def test_a_bad_data_file_is_named_with_its_line(tmp_path: Path, train: str, message: str):
    overrides = files(tmp_path, train)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    cfg = composed(*overrides)

    def read() -> None:
        stages = [one for one in plan(cfg, resolve(cfg)).stages if isinstance(one, Problems | Leakage | Golds)]
        execute(stages, store=Store(tmp_path / "store"), runtime=cfg.runtime)

    with pytest.raises(ValueError, match=message):
        read()


def test_a_missing_file_and_a_folder_without_weights_are_named(tmp_path: Path):
    overrides = files(tmp_path, GOOD)
    cfg = composed(*overrides)
    with pytest.raises(ValueError, match=r"model.path=.* no such folder"):
        resolve(cfg)
    (tmp_path / "model").mkdir()
    with pytest.raises(ValueError, match=r"no \*.safetensors file"):
        resolve(cfg)
    (tmp_path / "train.jsonl").unlink()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="no such file"):
        resolve(composed(*overrides[:-1], f"data.train_path={tmp_path}/train.jsonl", overrides[-1]))


def test_gsm8k_becomes_problems_with_its_release_recorded(tmp_path: Path, gsm8k_dir: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    overrides = [f"model.path={tmp_path}/model", f"data.train_path={gsm8k_dir}", f"data.test_path={gsm8k_dir}"]
    cfg = composed("data=gsm8k", "model=smollm2-135m", "data.num_validation=73", *overrides)
    sources = resolve(cfg)
    assert (sources.num_pool, sources.num_test) == (7_400, 1_319)
    store = Store(tmp_path / "store")
    cell = plan(cfg, sources)
    pool, test = cell.read.problems
    assert isinstance(pool, Part)
    found = {"whole": pool.whole, "pool": pool, "held": dataclasses.replace(pool, split="validation"), "test": test}
    execute(found.values(), store=store, runtime=cfg.runtime)
    entries = {name: store.get(stage.kind, stage.key) for name, stage in found.items()}
    facts = {name: entry.meta["facts"] for name, entry in entries.items() if entry is not None}
    assert (facts["whole"]["gsm8k_release"], facts["test"]["gsm8k_release"]) == ("exact", "exact")
    assert {name: one["num_problems"] for name, one in facts.items()} == {
        "whole": 7_473,
        "pool": 7_400,
        "held": 73,
        "test": 1_319,
    }
    ids = {name: {p.id for p in ProblemFile(entry.path).problems()} for name, entry in entries.items() if entry}
    assert ids["pool"] | ids["held"] == ids["whole"]
