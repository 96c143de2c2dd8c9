"""What tests of stores share, in folders and in buckets: processes that are waited for, and a small stage.

finish(child, within_s=30)                  # what it printed
wait_for(tmp_path / "calls", within_s=20)
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path


def finish(child: subprocess.Popen[str], *, within_s: float) -> str:
    """What a process printed that ended well."""
    out, _ = child.communicate(timeout=within_s)
    assert child.returncode == 0
    return out.strip()


def wait_for(path: Path, *, within_s: float) -> None:
    """Until somebody has made it."""
    deadline = time.monotonic() + within_s
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


def write_one(out: Path) -> dict[str, float]:
    """The files of a stage."""
    (out / "sub").mkdir()
    (out / "sub" / "a.txt").write_text("one")
    (out / "b.bin").write_bytes(bytes(range(256)))
    return {"flops": 2.0}


def refuse_to_compute(out: Path) -> None:
    """A stage that is there must not be computed."""
    raise AssertionError("computed although it was there")
