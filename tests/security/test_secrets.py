"""Secrets planted in every way that a command line has: no file that a run writes holds one."""

from __future__ import annotations

import gzip
import logging
import stat
import subprocess
import sys
from pathlib import Path

import forked
import pytest
from composing import TINY

from rft.execute.configuration import masked
from rft.infra.masking import MASK, MaskingFormatter, mask_arguments, mask_text, mask_tree

TAG, PASSWORD, VARIABLE, QUOTED, KEY = (
    "hf_plantedTag0Q8Xv2LmT0Zb",
    "plantedPassword",
    "plantedVariable",
    "plantedQuoted",
    "plantedkey7",
)
SECRETS = (TAG, PASSWORD, VARIABLE, QUOTED, KEY)
PLANTED = (
    f"tracking.tags=[{TAG},plain]",
    f"+hydra.job.env_set.TOKEN={VARIABLE}",
    f"+hydra.job.env_set.OTHER='{QUOTED}'",
    f"hydra.job.name='see https://me:{PASSWORD}@host/v1'",
)
REFUSED = (  # a server's password and a key where the name of a variable belongs
    "method=rft",
    "union=[t]",
    "+servers.t.model=m",
    f"+servers.t.base_url=https://me:{PASSWORD}@host/v1",
    f"+servers.t.api_key={KEY}",
)
PRIVATE_FILES = ("multirun.yaml", "config.yaml", "hydra.yaml", "overrides.yaml", "run.log", "mirror.log")


def start(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    shared = (f"hydra.run.dir={folder}/s", f"hydra.sweep.dir={folder}/s", "study_name=s", f"store.root={folder}/store")
    return forked.run("-m", "rft.run", words[0], *TINY, *shared, *words[1:])


def holding(folder: Path) -> dict[str, list[str]]:
    """Files that hold a secret, by secret."""
    found: dict[str, list[str]] = {}
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        content += gzip.decompress(content) if path.suffix == ".gz" else b""
        for secret in SECRETS:
            if secret.encode() in content or secret in str(path):
                found.setdefault(secret, []).append(str(path.relative_to(folder)))
    return found


def readable_by_others(folder: Path) -> list[str]:
    found = [path for path in folder.rglob("*") if path.name in PRIVATE_FILES or "wandb" in path.parts[-2:]]
    assert found
    return [str(path) for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077]


@pytest.mark.parametrize("mode", ["sweep", "single"])
def test_no_file_of_a_run_holds_a_secret(tmp_path: Path, mode: str):
    sweep = ("-m", "hydra/launcher=dag_local", "hydra.launcher.workers=1", "method=sft,rft", "k=2")
    words = sweep if mode == "sweep" else ("method=sft",)
    tracking = "tracking.mode=offline" if mode == "sweep" else "tracking.mode=disabled"
    done = start(tmp_path, *words, *PLANTED, tracking)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.glob("s/*/record.json"))
    assert list(tmp_path.glob("s/*/.hydra/overrides.yaml"))
    assert holding(tmp_path) == {}
    assert readable_by_others(tmp_path) == []
    assert not [secret for secret in SECRETS if secret in done.stdout + done.stderr]


@pytest.mark.parametrize("launcher", ["dag_local", "basic"])
def test_no_file_of_a_refused_sweep_holds_a_secret(tmp_path: Path, launcher: str):
    done = start(tmp_path, "-m", f"hydra/launcher={launcher}", "k=2,4", *PLANTED, *REFUSED)
    assert done.returncode != 0
    assert (tmp_path / "s" / "study.json").is_file()
    assert holding(tmp_path) == {}
    assert not [secret for secret in SECRETS if secret in done.stdout]


def test_text_is_masked_by_form_and_by_what_this_process_was_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["rft/run.py", "+x.password=plain1,plain2", "+y={TOKEN:braced,b:1}", "k=4"])
    assert mask_text("lost plain1 and plain2, not k=4") == f"lost {MASK} and {MASK}, not k=4"
    assert "braced" not in mask_text("asked with braced")
    assert mask_text("HF_TOKEN=abc next") == f"HF_TOKEN={MASK} next"
    assert mask_text('{"api_key": "abc", "k": 4}') == f'{{"api_key": {MASK}, "k": 4}}'
    for plain in ("cell_key=0a1b", "pretrain_tokens=1e6", "tokenizer: nano", "the token: end", "token=null"):
        assert mask_text(plain) == plain
    line = logging.LogRecord("rft", logging.INFO, "", 0, "at https://u:%s@h/v1", ("pw",), None)
    assert MaskingFormatter().format(line) == f"at https://{MASK}@h/v1"


def test_a_tree_keeps_all_but_its_secrets():
    tree = {
        "hydra": {"job": {"env_set": {"A": 1}, "num": 0}},
        "tags": ["a", "b"],
        "path": "${oc.env:HOME}/x",
        "n": None,
    }
    expected = {**tree, "hydra": {"job": {"env_set": {"A": MASK}, "num": 0}}}
    assert mask_tree(tree) == expected
    assert mask_arguments(["+hydra.job.env_set={A:b}", "-m"]) == [f"+hydra.job.env_set={MASK}", "-m"]
    from omegaconf import OmegaConf

    assert OmegaConf.to_container(masked(OmegaConf.create(tree)), resolve=False) == expected
