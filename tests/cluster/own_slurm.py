"""A SLURM of two nodes on this machine with settings of its own, beside the one whose commands are on PATH.

    with OwnSlurm.started(folder, settings=["MaxArraySize=3"]) as own:     # SLURM_CONF of this process names it meanwhile
        own.kill_node("one")                 # its slurmd and all that runs there, by SIGKILL
        own.start_node("one")
        own.kill_controller(), own.start_controller()
    with own.no_job_starting(): ...      # its nodes' prolog fails: SLURM drains them, and holds the jobs

Each node has a slurmd with a port of its own, which SLURM has for tests (`NodeHostname`, "multiple slurmd support"). Where
plug-ins are and that nobody is authenticated is taken from the other one's slurm.conf, so that it has to be one that is made
for tests: the variable RFT_SLURM_FOLDER names its folder (with_slurm.sh).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

NODES = ("one", "two")
PORT = 17817  # of the controller; the nodes' are those after it
NODE = "OWN_SLURM_NODE"  # says in the environment of a node's processes whose they are
OTHERS = ("ClusterName", "Slurmctld", "Slurmd", "StateSave", "NodeName", "PartitionName")  # lines that are written anew
GRACE_S = 15  # between SIGTERM and SIGKILL of a job in the partition `warned` that is preempted
PATIENCE_S = 60.0


@dataclass
class OwnSlurm:
    """See the module."""

    folder: Path
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def conf(self) -> Path:
        """Its slurm.conf."""
        return self.folder / "slurm.conf"

    @property
    def prolog(self) -> Path:
        """What a node runs before a job."""
        return self.folder / "prolog.sh"

    @property
    def refused(self) -> Path:
        """A file, with which no job starts."""
        return self.folder / "refused"

    @staticmethod
    @contextmanager
    def started(folder: Path, *, settings: Sequence[str]) -> Iterator[OwnSlurm]:
        """All of it, stopped at the end."""
        own = OwnSlurm(folder)
        for name in ("state", "log", *(f"spool-{node}" for node in NODES)):
            (folder / name).mkdir(parents=True)
        own.prolog.write_text(f"#!/bin/sh\ntest ! -e {own.refused}\n")
        own.prolog.chmod(0o755)
        own.conf.write_text(own._conf(settings))
        before = os.environ.get("SLURM_CONF")
        os.environ["SLURM_CONF"] = str(own.conf)
        try:
            own.start_controller("-c")  # without what an earlier one left
            for node in NODES:
                own.start_node(node)
            yield own
        finally:
            own._end()
            os.environ.pop("SLURM_CONF") if before is None else os.environ.update(SLURM_CONF=before)

    def start_controller(self, *options: str) -> None:
        """And wait until it answers."""
        self._start(["slurmctld-wlm", *options, "-D"], name="slurmctld", node="")
        _until(lambda: subprocess.run(["scontrol", "ping"], capture_output=True, check=False).returncode == 0)

    def kill_controller(self) -> None:
        """Without a word."""
        self._kill("", command="slurmctld")

    def start_node(self, node: str) -> None:
        """And wait until the controller hears of it."""
        stepd = next(Path(_others_folder()).glob("root/usr/sbin/slurmstepd*"))
        self._start(["slurmd-wlm", "-D", "-N", node, "-d", str(stepd)], name=node, node=node)
        _until(lambda: self.state(node) in ("idle", "mixed", "allocated", "completing"))  # down*, unknown: not yet

    def kill_node(self, node: str) -> None:
        """Its daemon, what runs on it and its own disk: SLURM holds jobs that it finds half started there."""
        self._kill(node)
        for path in (self.folder / f"spool-{node}").glob("job*"):
            shutil.rmtree(path)

    @contextmanager
    def no_job_starting(self) -> Iterator[None]:
        """Nodes are drained by their first job, and are there again afterwards."""
        self.refused.touch()
        try:
            yield
        finally:
            self.refused.unlink()
            for node in NODES:
                if self.state(node).startswith(("drain", "draining")):
                    subprocess.run(["scontrol", "update", f"NodeName={node}", "State=RESUME"], check=True)

    def state(self, node: str) -> str:
        """As sinfo says it."""
        asked = ["sinfo", "--noheader", "--partition=main", f"--nodes={node}", "--format=%T"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()

    def _conf(self, settings: Sequence[str]) -> str:
        host = socket.gethostname().partition(".")[0]
        said = (Path(_others_folder()) / "slurm.conf").read_text().splitlines()
        kept = [line for line in said if not line.startswith(OTHERS)]
        user = [line for line in said if line.startswith("SlurmdUser")]
        own = [
            "ClusterName=own",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={PORT}",
            f"StateSaveLocation={self.folder}/state",
            f"SlurmdSpoolDir={self.folder}/spool-%n",
            f"SlurmctldPidFile={self.folder}/slurmctld.pid",
            f"SlurmdPidFile={self.folder}/%n.pid",
            f"SlurmctldLogFile={self.folder}/log/slurmctld.log",
            f"SlurmdLogFile={self.folder}/log/%n.log",
            f"Prolog={self.prolog}",
        ]
        nodes = [
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={PORT + number} CPUs=2 RealMemory=4000"
            for number, name in enumerate(NODES, start=1)
        ]
        parts = [
            f"PartitionName={name} Nodes={','.join(NODES)} MaxTime=INFINITE State=UP {more}"
            for name, more in (
                ("main", "Default=YES PriorityTier=1"),
                ("warned", f"PriorityTier=1 GraceTime={GRACE_S}"),
                ("urgent", "PriorityTier=2"),  # jobs here end those of the others (PreemptType=preempt/partition_prio)
            )
        ]
        return "\n".join([*own, *kept, *user, *settings, *nodes, *parts, ""])

    def _start(self, command: Sequence[str], *, name: str, node: str) -> None:
        with open(self.folder / "log" / f"{name}.out", "a") as out:
            environment = {**os.environ, NODE: node or "controller"}
            self.daemons.append(
                subprocess.Popen(
                    command, stdout=out, stderr=out, start_new_session=True, env=environment, cwd=self.folder
                )
            )

    def _kill(self, node: str, *, command: str = "") -> None:
        while found := [pid for pid in self._processes(node) if command in _command(pid)]:
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def _processes(self, node: str) -> list[int]:
        """Of this SLURM on a node; on none: its controller."""
        whose = {f"{NODE}={node}", f"SLURMD_NODENAME={node}"} if node else {f"{NODE}=controller"}
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                said = set(path.read_bytes().decode(errors="replace").split("\0"))
                if f"SLURM_CONF={self.conf}" in said and whose & said:
                    found.append(int(path.parent.name))
        return found

    def _end(self) -> None:
        subprocess.run(["scancel", "--partition=main"], capture_output=True, check=False, timeout=PATIENCE_S)
        for node in (*NODES, ""):
            self._kill(node)
        for daemon in self.daemons:
            daemon.wait()


def _others_folder() -> str:
    return os.environ["RFT_SLURM_FOLDER"]


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    return ""


def _until(is_so: object) -> None:
    assert callable(is_so)
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, "SLURM did not come up: see its folder `log`"
        time.sleep(0.2)
