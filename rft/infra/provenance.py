"""Where a result comes from: commit, versions, device and command, without host names, users or secrets.

    provenance(device="cpu", argv=sys.argv, folder=Path.cwd())
    -> {"commit": "c57b31c...", "dirty": false, "python": "3.11.7", "platform": "linux-x86_64",
        "versions": {"torch": "2.13.0+cpu", "transformers": "5.1.0", "vllm": null, ...}, "device": "cpu",
        "command": ["rft/run.py", "model=nano-s", "hub.token=***"], "started": "2026-11-22T21:15:00+00:00"}

Environment variables are never recorded; arguments that look like a key or token are masked (rft.infra.masking).
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rft.infra.masking import mask_arguments

PACKAGES = (
    "rft-scaling",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "ctranslate2",
    "vllm",
    "peft",
    "numpy",
    "scipy",
    "rapidfuzz",
    "hydra-core",
    "omegaconf",
    "filelock",
    "wandb",
)

PACKAGE = Path(__file__).resolve().parents[1]
SHIPPED_FILE = "shipped.json"  # in the package, of code that was sent from a checkout (rft.infra.cluster.shipping)

_GIT_TIMEOUT_S = 10.0


def provenance(*, device: str, argv: Sequence[str], folder: Path) -> dict[str, Any]:
    """How this process came to run; `folder` lies in the git checkout, if there is one."""
    commit, dirty = git_state(folder)
    return {
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "versions": package_versions(),
        "device": device,
        "command": mask_arguments(argv),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def code_state() -> tuple[str | None, bool | None]:
    """Commit of the code that runs here, and whether it differs from it; of code that was sent, as its sender knew it."""
    try:
        said = json.loads((PACKAGE / SHIPPED_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return git_state(PACKAGE)
    return said["commit"], said["dirty"]


def git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the checkout that `folder` belongs to, and whether tracked files differ from it; (None, None) without one.

    A wheel in a virtual environment lies inside the checkout of a project that has nothing to do with its code.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None or not _git(folder, "ls-files", "."):
        return None, None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else bool(changes)


def package_versions() -> dict[str, str | None]:
    """Installed versions of the packages that can change a result, None where absent. Imports none of them."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _git(folder: Path, *arguments: str) -> str | None:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # reading must not disturb a git command beside it
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
