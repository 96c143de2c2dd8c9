"""The package as it was before its speed was worked on: the peer of what has no other, on the same work in the same run.

with code_before() as folder:                       # a folder with rft/, analysis/, conf/, tests/ of that commit
    of_command(python("-c", "import rft"), folder=folder)
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from tests.bench.harness import REPOSITORY

COMMIT = "0bdd76a"  # of 2026-11-28
RECIPE_COMMIT = "238a584"  # of 2026-11-27: before the recipe of bases was worked on too
PARTS = ("rft", "analysis", "conf", "hydra_plugins", "tests", "pyproject.toml", "setup.py")


@contextmanager
def code_before(commit: str = COMMIT) -> Iterator[Path]:
    """A temporary folder with the code of a commit. Raises RuntimeError outside of a checkout that holds it."""
    done = subprocess.run(
        ["git", "-C", str(REPOSITORY), "archive", commit, *PARTS], capture_output=True, check=False
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"no commit {commit} here: run benchmarks in a full clone ({done.stderr.decode()[-200:]})")
    with tempfile.TemporaryDirectory(prefix="rft-before-") as folder:
        with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder)
