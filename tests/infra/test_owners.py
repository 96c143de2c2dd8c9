"""Whether the process that is named is still there."""

from __future__ import annotations

import dataclasses
import subprocess
import time
from pathlib import Path

from rft.infra import owners
from rft.infra.owners import Owner


def of(process: subprocess.Popen[bytes]) -> Owner:
    return dataclasses.replace(Owner.this(), pid=process.pid, start=owners._seen(process.pid)[1])


def test_one_that_lives_one_that_ended_and_one_that_nobody_asked_about():
    assert not Owner.this().gone()
    with subprocess.Popen(["sleep", "60"]) as process:
        owner = of(process)
        assert not owner.gone()
        process.kill()
        until = time.monotonic() + 10
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < until
            time.sleep(0.01)
        assert owner.gone()  # it has ended, although its number is taken until its parent waits for it
    assert owner.gone()


def test_another_process_with_its_number_and_one_of_another_machine():
    me = Owner.this()
    assert dataclasses.replace(me, start=me.start + 1).gone()
    assert not dataclasses.replace(me, machine="another", start=me.start + 1).gone()
