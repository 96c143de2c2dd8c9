"""Fixtures shared by all tests; what the modules of tests have loaded is left out of garbage collections."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest


def pytest_collection_finish() -> None:
    """A million objects of libraries stay as long as the process: CTranslate2's converter collects once a layer, which took
    0.3 s each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def gsm8k_dir() -> Path:
    """The folder with GSM8K's train.jsonl, test.jsonl and example_model_solutions.jsonl; skips when there is none."""
    named = os.environ.get("GSM8K_DIR")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "gsm8k"
    if not (folder / "train.jsonl").is_file():
        if os.environ.get("CI"):
            pytest.fail(f"GSM8K not found in {folder}: its tests must not be skipped here")
        pytest.skip(f"GSM8K not found in {folder}: set GSM8K_DIR to the folder with train.jsonl and test.jsonl")
    return folder
