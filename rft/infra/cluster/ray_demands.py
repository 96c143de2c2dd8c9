"""What stages ask of a Ray cluster beside what its nodes have: Ray lets a task that no node can hold wait without end.

    demands = Demands(custom={}, own=False, wait=False)
    demands.check({Resources(gpus=1): "finetune, shard"}, ray.nodes())      # ValueError before anything runs
    demands.hopeless({Resources(gpus=1)}, ray.nodes())              # in mid-run: what for ten minutes no node could hold

Nodes are compared by all that they have, whether or not it is taken now: a stage that waits for another's end is none of
these. A node may also be lost in mid-run, and with it the only one that holds a kind of stage.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from rft.infra.cluster.resources import Resources

log = logging.getLogger("rft")

LOST_S = 600.0  # for a node to come back: one that is taken away and put up again needs minutes

Node = Mapping[str, Any]  # as ray.nodes() tells of it


class Demands:
    """The demands of one sweep."""

    def __init__(
        self, *, custom: Mapping[str, float], own: bool, wait: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._custom = dict(custom)  # of Ray's named resources, asked for by every stage
        self._own = own  # whether the cluster is one that was made for this sweep
        self._wait = wait  # for nodes that join
        self._clock = clock
        self._since: dict[Resources, float] = {}  # when it was first seen that no node holds these

    def check(self, kinds: Mapping[Resources, str], nodes: Sequence[Node]) -> None:
        """Raises ValueError for what no node can hold; where nodes are waited for, says so. `kinds`: of which stages."""
        for asked, kind in kinds.items():
            if asked.gpus > 1 and asked.gpus != int(asked.gpus):
                raise ValueError(
                    f"stages of kind {kind} ask for {asked.gpus} GPUs; allowed are a share of one, or whole ones"
                )
        unmet = [asked for asked in kinds if not self._held(asked, nodes)]
        if not unmet:
            return
        asking = "; ".join(f"{_text(self._wanted(asked))} (kind {kinds[asked]})" for asked in unmet)
        having = "; ".join(sorted(_text(_had(node)) for node in _alive(nodes))) or "nothing"
        text = f"no node of the Ray cluster has what stages ask for: {asking}. Its nodes have: {having}"
        if not self._wait:
            raise ValueError(f"{text}. {self._advice()}")
        log.warning(f"{text}. Such stages wait until a node joins that can")
        self._since.update(dict.fromkeys(unmet, self._clock()))

    def hopeless(self, waiting: Collection[Resources], nodes: Sequence[Node]) -> dict[Resources, str]:
        """What no node could hold for LOST_S seconds, and why to give it up; nothing where nodes are waited for."""
        now_s = self._clock()
        for asked in list(self._since):
            if asked not in waiting or self._held(asked, nodes):
                del self._since[asked]
        for asked in waiting:
            if asked not in self._since and not self._held(asked, nodes):
                self._since[asked] = now_s
                log.warning(
                    f"a node of the Ray cluster is lost, and no other has {_text(self._wanted(asked))}: waiting"
                )
        if self._wait:
            return {}
        return {
            asked: f"no node of the Ray cluster has had {_text(self._wanted(asked))} for {LOST_S / 60:.0f} minutes"
            for asked, since_s in self._since.items()
            if now_s - since_s >= LOST_S
        }

    def _wanted(self, asked: Resources) -> dict[str, float]:
        return {"CPU": asked.cpus, "GPU": asked.gpus, "memory": asked.memory_gb * 2**30, **self._custom}

    def _held(self, asked: Resources, nodes: Sequence[Node]) -> bool:
        wanted = self._wanted(asked)
        return any(
            all(node["Resources"].get(name, 0) >= much for name, much in wanted.items()) for node in _alive(nodes)
        )

    def _advice(self) -> str:
        less = "Ask for less (hydra.launcher.resources, .custom)"
        if self._own:
            return f"{less}, or say what the Ray of this machine has (hydra.launcher.workers times .threads, .gpus)"
        return (
            f"{less}, add nodes, or let such stages wait for nodes that join later, as an autoscaler's do "
            "(hydra.launcher.wait_for_nodes=true)"
        )


def _alive(nodes: Sequence[Node]) -> list[Node]:
    return [node for node in nodes if node["Alive"]]


def _had(node: Node) -> dict[str, float]:
    """What stages can ask for; Ray names further things for its own use."""
    resources = {"CPU": 0.0, "GPU": 0.0, "memory": 0.0, **node["Resources"]}
    return {name: much for name, much in resources.items() if not name.startswith(("node:", "object_store_memory"))}


def _text(quantities: Mapping[str, float]) -> str:
    """'1 CPU, 0.5 GPU, 4.0 GiB of memory'."""
    return ", ".join(
        f"{much / 2**30:.1f} GiB of memory" if name == "memory" else f"{much:g} {name}"
        for name, much in quantities.items()
    )
