"""Provenance names commit and versions, and never a secret."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rft.infra.devices import available_bytes, num_cpus, resolve_device
from rft.infra.masking import mask_arguments, mask_text
from rft.infra.provenance import git_state, provenance

PLANTED = "q8Xv2LmT0ZbR4nKc7WyE1uJdS6hPfG3a"


@pytest.mark.parametrize(
    "argv",
    [
        ["run.py", f"tracking.api_key={PLANTED}"],
        ["run.py", f"+hub.token={PLANTED}"],
        ["run.py", "--password", PLANTED],
        ["run.py", "--api-key", "short"],
        ["run.py", f"model.path={'hf_'}{PLANTED}"],
        ["run.py", f"WANDB_API_KEY={'0123456789abcdef' * 2}01234567"],
        ["run.py", f"note=see {'0123456789abcdef' * 2}01234567"],
        ["run.py", f"store.root=https://user:{PLANTED}@host/path"],
        ["run.py", f"x={'sk-'}{PLANTED}"],
    ],
)
def test_secrets_are_masked(argv: list[str]) -> None:
    text = " ".join(mask_arguments(argv))
    assert "***" in text
    for secret in (PLANTED, "0123456789abcdef", "short"):
        assert secret not in text


def test_ordinary_arguments_stay() -> None:
    argv = [
        "rft/run.py",
        "-m",
        "model=nano-s,nano-m",
        "data.max_new_tokens=96",
        "pretrain_tokens=1000000",
        "data_frac=0.125,0.25,0.5,1",
        "model.path=HuggingFaceTB/SmolLM2-135M-Instruct",
        "store.root=/data/Some_Long-Folder-Name/with/many/parts/2026-11-22_run_0001",
        "hub.token=null",
        "union=[nano-s,nano-m]",
    ]
    assert mask_arguments(argv) == argv


def test_environment_is_not_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOME_SECRET", PLANTED)
    found = provenance(device="cpu", argv=["run.py"], folder=tmp_path)
    assert PLANTED not in json.dumps(found)
    assert found["commit"] is None
    assert found["dirty"] is None
    assert found["versions"]["filelock"] is not None


def test_commit_and_dirty_flag(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.check_output(["git", "-C", str(tmp_path), *who, *arguments], text=True).strip()

    git("init", "-q")
    (tmp_path / "a.txt").write_text("one")
    git("add", "a.txt")
    git("commit", "-qm", "first")
    assert git_state(tmp_path) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "untracked.txt").write_text("x")
    assert git_state(tmp_path)[1] is False
    (tmp_path / "a.txt").write_text("two")
    assert git_state(tmp_path)[1] is True
    installed = tmp_path / ".venv" / "site-packages"
    installed.mkdir(parents=True)
    assert git_state(installed) == (None, None)  # lies in the checkout, is no part of it


def test_versions_do_not_import_the_packages() -> None:
    code = (
        "import sys; from pathlib import Path; from rft.infra.provenance import provenance;"
        "provenance(device='cpu', argv=[], folder=Path('.'));"
        "print(sorted({'torch', 'transformers', 'wandb', 'vllm'} & sys.modules.keys()))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_devices() -> None:
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") in ("cuda", "mps", "cpu")
    with pytest.raises(ValueError, match=r"runtime\.device is 'gpu', allowed are"):
        resolve_device("gpu")
    assert num_cpus() >= 1
    free = available_bytes("cpu")
    assert free is None or free > 1 << 20


@pytest.mark.parametrize(
    "name",
    [
        "Qwen25-05B_full_vs_lora_rank16_seeds0-4",
        "model=Llama-3-8B-Instruct-GSM8K-SFT-epoch3-v2",
        "SmolLM2-135M_rft_f1_k2_s1-46de95c0",
        "study_name=Real-Study-2026-11-28-of-three-Models",
    ],
)
def test_long_names_of_models_studies_and_cells_are_no_secrets(name: str):
    assert mask_text(name) == mask_arguments([name])[0] == name


@pytest.mark.parametrize(
    "text",
    [
        f"data.train_path=https://b.host/x.jsonl?X-Amz-Signature={'0f' * 32}",
        f"+hydra.job.note=AccountKey={'ab1/' * 5}==",
        f"Authorization: Basic {'dXNlcjpw' * 3}",
        f"Authorization: Bearer {'abc.def-' * 3}",
    ],
)
def test_signed_addresses_and_headers_are_masked(text: str):
    for masked in (mask_text(text), mask_arguments([text])[0]):
        assert "***" in masked
        assert not any(part in masked for part in ("0f0f", "ab1/", "dXNlcjpw", "abc.def-"))
