"""A forked command is as one from the command line: status, streams, arguments, folder, variables, paths, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import forked
import pytest

TELL = """
import json, os, signal, sys, threading, warnings
told = [sys.argv, __name__, os.getcwd(), sorted(os.environ.items()), sys.path, sys.stdin.read(), os.getsid(0) == os.getpid()]
told += [threading.active_count(), warnings.filters != [], str(signal.getsignal(signal.SIGINT)), os.umask(0)]
print(json.dumps(told))
print("an error", file=sys.stderr)
"""
ENDS = ["pass", "import sys; sys.exit(3)", "import sys; sys.exit('a reason')", "1 / 0", "raise KeyboardInterrupt"]


def both(*words: str, cwd: Path, **more: str) -> list[subprocess.CompletedProcess[str]]:
    """(forked, real)"""
    command, env = [sys.executable, *words], forked.environment(**more)
    real = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True
    )
    return [forked.run(*words, cwd=cwd, env=env), real]


@pytest.mark.parametrize("way", ["-c", "-m", "file"])
def test_what_a_command_is_given_is_what_it_finds(tmp_path: Path, way: str) -> None:
    (tmp_path / "tell.py").write_text(TELL)
    start = {"-c": ("-c", TELL), "-m": ("-m", "tell"), "file": (str(tmp_path / "tell.py"),)}[way]
    ours, real = both(*start, "k=2", "-m", cwd=tmp_path, PYTHONPATH=f"{tmp_path / 'own'}:{forked.REPOSITORY}", A="b")
    assert json.loads(ours.stdout) == json.loads(real.stdout)
    assert (ours.returncode, ours.stderr) == (real.returncode, real.stderr) == (0, "an error\n")


@pytest.mark.parametrize("code", ENDS)
def test_it_ends_as_the_command_does(tmp_path: Path, code: str) -> None:
    ours, real = both("-c", code, cwd=tmp_path)
    assert ours.stderr.splitlines()[-1:] == real.stderr.splitlines()[-1:]
    expected = 1 if real.returncode == -signal.SIGINT else real.returncode  # an interpreter kills itself by the signal
    assert ours.returncode == expected


def test_it_takes_the_code_of_this_repository(tmp_path: Path) -> None:
    ours, real = both("-c", "import rft, rft.infra.process as p; print(rft.__file__, p.__file__)", cwd=tmp_path)
    assert ours.stdout == real.stdout
    assert str(forked.REPOSITORY) in ours.stdout


def test_a_killed_one_has_the_signals_status(tmp_path: Path) -> None:
    process = forked.Forked("-c", "import time; time.sleep(60)", cwd=tmp_path, env=forked.environment())
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.2)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(timeout=20) == -signal.SIGKILL


def test_one_commands_doings_are_not_the_nexts(tmp_path: Path) -> None:
    spoil = "import os, sys, rft; rft.spoilt = 1; os.environ['SPOILT'] = '1'; sys.path.append('spoilt'); os.chdir('/')"
    forked.run("-c", spoil, cwd=tmp_path)
    look = (
        "import os, sys, rft; print(hasattr(rft, 'spoilt'), 'SPOILT' in os.environ, 'spoilt' in sys.path, os.getcwd())"
    )
    assert forked.run("-c", look, cwd=tmp_path).stdout == f"False False False {tmp_path}\n"
