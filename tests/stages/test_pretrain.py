from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from rft.config import ArchConfig, Optimizer, PretrainConfig
from rft.core.model import load_model
from rft.records import CURVE_FILE, read_jsonl
from rft.stages.corpus import Corpus
from rft.stages.pretrain import Pretrain
from tests.core_tiny import tiny_tokenizer
from tests.lone_stage import run_stage

ARCH = ArchConfig(
    num_layers=2,
    width=32,
    num_heads=4,
    num_kv_heads=4,
    mlp_width=48,
    context=64,
    init_std=0.1,
    embedding_std=0.25,
    rope_theta=200.0,
)
ADAMW = PretrainConfig(
    tokens=6_400, batch_tokens=128, sequence=32, lr=5e-3, warmup_frac=0.05, weight_decay=0.05, beta2=0.98
)
MUON = replace(ADAMW, optimizer=Optimizer.muon, matrix_lr=0.03)
CORPUS = Corpus(world={"seed": 0}, num_tokens=6_400)


WEIGHTED = replace(MUON, determined_weight=4.0)


def stage(recipe: PretrainConfig, arch: ArchConfig = ARCH) -> Pretrain:
    return Pretrain(arch=arch, recipe=recipe, seed=3, corpus=CORPUS)


def pretrained(recipe: PretrainConfig, folder: Path) -> tuple[Path, list[float]]:
    """(folder of the model, its losses) on a text that counts: every third token names the two before it."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    tiny_tokenizer().save_pretrained(str(corpus))
    pairs = np.random.default_rng(0).integers(4, 9, (2_200, 2))
    np.save(corpus / "tokens.npy", np.column_stack((pairs, pairs.sum(1))).ravel()[:6_401].astype(np.uint16))
    np.save(corpus / "determined.npy", np.arange(6_401) % 3 == 2)
    run_stage(stage(recipe), out=folder / "out", inputs={CORPUS: corpus})
    return folder / "out", [row["loss_nats"] for row in read_jsonl(folder / "out" / CURVE_FILE)]


def test_an_unchanged_recipe_keeps_its_key_and_each_new_field_makes_another() -> None:
    identity = stage(ADAMW).identity()["recipe"]
    assert "optimizer" not in identity
    assert "matrix_lr" not in identity
    assert stage(MUON).identity()["recipe"] == identity | {"optimizer": "muon", "matrix_lr": 0.03}
    singles_first = replace(MUON, singles_frac=0.5)
    assert len({stage(one).key for one in (ADAMW, MUON, replace(MUON, matrix_lr=0.02), WEIGHTED, singles_first)}) == 5
    assert "number_start" not in stage(ADAMW).identity()["arch"]
    assert stage(ADAMW, replace(ARCH, number_start=0.4)).key != stage(ADAMW).key
    assert "determined" not in CORPUS.identity()


def test_identical_runs_of_muon_write_identical_bases(tmp_path: Path) -> None:
    (first, _), (second, _) = (pretrained(MUON, tmp_path / name) for name in ("a", "b"))
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


def test_muon_is_the_configured_rule_and_leaves_a_plain_llama(tmp_path: Path) -> None:
    (adamw, slow), (muon, fast) = pretrained(ADAMW, tmp_path / "adamw"), pretrained(MUON, tmp_path / "muon")
    assert slow[0] == fast[0]  # same weights, same first step
    assert np.mean(fast[-5:]) < np.mean(slow[-5:]) < 0.7 * slow[0]
    first, second = (load_model(folder, device="cpu", dtype="float32") for folder in (adamw, muon))
    assert type(first) is type(second)
    assert first.config.to_dict() == second.config.to_dict() | {
        "_name_or_path": first.config.to_dict()["_name_or_path"]
    }


def test_weight_on_determined_tokens_learns_them_sooner(tmp_path: Path) -> None:
    """The sums are every third token; what they are is all that can be learnt of this text."""
    from rft.core.losses import measure_loss

    rng = np.random.default_rng(1)
    pairs = rng.integers(4, 9, (300, 2))
    text, sums = np.column_stack((pairs, pairs.sum(1))).ravel(), np.arange(900) % 3 == 2
    measured = []
    for name, recipe in (("even", MUON), ("weighted", WEIGHTED)):
        folder, _ = pretrained(recipe, tmp_path / name)
        model = load_model(folder, device="cpu", dtype="float32")
        measured.append(measure_loss(model, text, window=32, context_id=1, mask=sums).determined_loss_nats)
    assert measured[1] < 0.9 * measured[0]
