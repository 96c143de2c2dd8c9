"""Fixtures shared by all tests, the order of their modules, and what these cost: threads, garbage collections."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # read when torch and NumPy are loaded
    os.environ.setdefault(_name, "1")  # workers have a core each, and threads that wait for one another spin

HERE = Path(__file__).resolve().parent
LONGEST = (  # modules that take about ten seconds or more, the longest first
    "infra/test_study.py",
    "metamorphic/test_recipes.py",
    "analysis/docs/test_generated.py",
    "infra/test_origin.py",
    "check/test_verify.py",
    "core/test_exchangeable.py",
    "analysis/figures/test_all_figures.py",
    "test_examples.py",
    "config/test_settings.py",
    "infra/test_tracking.py",
    "text/test_oracle_agreement.py",
    "archive/test_archive.py",
    "check/test_explain.py",
    "faults/test_out_of_memory.py",
    "analysis/compare/test_exchange.py",
    "infra/test_bucket_store.py",
    "core/test_memory.py",
    "metamorphic/test_chain.py",
    "core/test_sampling.py",
    "analysis/figures/test_registry.py",
    "infra/test_code.py",
    "infra/test_collection.py",
    "config/test_conf.py",
    "stages/test_chosen_cells.py",
    "faults/test_wandb.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules go to workers in this order: a long one at the end would leave the other worker idle."""
    place = {HERE / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


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
