"""Processes named so that another one can tell whether they are still there.

    me = Owner.this()                       # Owner(machine='5f0c...', host='gpu1', pid=4711, start=887123)
    me.gone()                               # True only where this machine can prove that the process has ended

A process is looked up by its number and the moment it started, since numbers are used again, and only on its own machine: the
same boot of the same kernel, and the same view of its processes (two containers of one host name are two machines).
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from rft.infra.digest import digest

ENDED = ("Z", "X")  # states of a process that has ended and that its parent has not asked about, as in many a container


@dataclass(frozen=True)
class Owner:
    """One process."""

    machine: str  # digest of host name, boot and process namespace
    host: str  # its name, for people
    pid: int
    start: int  # clock ticks between boot and its start; 0 where that cannot be read

    @staticmethod
    def this() -> Owner:
        """The process that asks."""
        return Owner(_machine(), socket.gethostname(), os.getpid(), _seen(os.getpid())[1])

    @property
    def is_here(self) -> bool:
        """Whether it is, or was, a process that this machine can look up."""
        return self.machine == _machine()

    def gone(self) -> bool:
        """Whether it has certainly ended; False where it lives, or lives elsewhere, or cannot be looked up."""
        if not self.is_here:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # it is another user's
            pass
        state, now = _seen(self.pid)
        return state in ENDED or (0 not in (now, self.start) and now != self.start)

    def text(self) -> str:
        """For people."""
        return f"process {self.pid} on {self.host}"


def ended(pid: int) -> bool:
    """Whether no process of this number is at work on this machine: none is there, or one that has ended is still listed."""
    return not Path(f"/proc/{pid}").exists() or _seen(pid)[0] in ENDED


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        processes = os.stat("/proc/self/ns/pid").st_ino
    except OSError:  # not Linux: the name alone
        boot, processes = "", 0
    return digest([socket.gethostname(), boot, processes])


def _seen(pid: int) -> tuple[str, int]:
    """(its state, when it started); ("", 0) where that cannot be read."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        words = line.rpartition(")")[2].split()  # its name, in brackets, may hold anything
        return words[0], int(words[19])
    except (OSError, ValueError, IndexError):
        return "", 0
