"""Code that is sent runs where there is no other, and tells the commit of its sender."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rft.infra import provenance
from rft.infra.cluster.shipping import copy_code

TOLD = """
import json, rft
from rft.conf_path import conf_folder
from rft.execute import code
from rft.infra.origin import origin
from rft.stages.problems import Problems
made = origin(device="cpu", threads=1, blocks={})
print(json.dumps([rft.__file__, str(conf_folder()), made["commit"], made["dirty"], code.behind(Problems).digest]))
"""


def told_by(path: Path, *, cwd: Path) -> list[object]:
    environment = {**os.environ, "PYTHONPATH": str(path)}
    done = subprocess.run(
        [sys.executable, "-c", TOLD], capture_output=True, text=True, cwd=cwd, env=environment, check=True
    )
    found: list[object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("state", [("c57b31c" + 33 * "0", True), ("0" * 40, False)])
def test_a_copy_tells_the_commit_that_it_was_made_from(
    state: tuple[str, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("rft.infra.cluster.shipping.code_state", lambda: state)
    (tmp_path / "elsewhere").mkdir()
    copy_code(tmp_path / "code")
    file, conf, *said, digest = told_by(tmp_path / "code", cwd=tmp_path / "elsewhere")
    assert file == str(tmp_path / "code/rft/__init__.py")
    assert conf == str(tmp_path / "code/rft/conf")
    assert said == list(state)
    here = told_by(provenance.PACKAGE.parent, cwd=tmp_path)
    assert digest == here[-1]  # the same code, wherever it lies


def test_a_copy_of_a_copy_tells_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copy_code(tmp_path / "one")
    said = json.loads((tmp_path / "one/rft" / provenance.SHIPPED_FILE).read_text())
    assert (said["commit"], said["dirty"]) == provenance.git_state(provenance.PACKAGE)
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "one/rft")
    assert provenance.code_state() == (said["commit"], said["dirty"])
