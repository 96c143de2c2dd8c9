"""Which ready task goes first, against the rule spelt out over a plain set."""

from __future__ import annotations

import random

import pytest

from rft.infra.graph import Event, Graph, Task
from rft.infra.ready import SLACK, ReadyTasks


def plainly(
    ready: set[str], priority: dict[str, float], affinity: dict[str, str], warm: str, elsewhere: set[str]
) -> str:
    """Of the tasks near the top: one that is warm here, else one that is nobody's, else any; of these the longest chain."""
    top = max(priority[name] for name in ready)
    near = [name for name in ready if priority[name] >= SLACK * top]

    def order(name: str) -> tuple[int, float, str]:
        own = affinity[name]
        return (0 if own and own == warm else 2 if own in elsewhere else 1, -priority[name], name)

    return min(near, key=order)


@pytest.mark.parametrize("seed", range(30))
def test_the_choice_is_the_rule_of_a_plain_set(seed: int):
    rng = random.Random(seed)
    names = [f"task {number}" for number in range(40)]
    priority = {name: float(rng.randint(1, 20)) for name in names}
    affinity = {name: rng.choice(["", "a", "b", "c", "d"]) for name in names}
    ready, there = ReadyTasks(priority, affinity), set[str]()
    left = list(names)
    while left or there:
        if left and (not there or rng.random() < 0.6):
            name = left.pop()
            ready.add(name)
            there.add(name)
        elif rng.random() < 0.1:
            name = rng.choice(sorted(there))
            ready.discard(name)
            there.discard(name)
            left.append(name)  # it may come again
        else:
            warm, elsewhere = rng.choice(["", "a", "b"]), set(rng.sample(["", "a", "b", "c", "d"], 2))
            expected = plainly(there, priority, affinity, warm, elsewhere)
            assert ready.take(warm=warm, elsewhere=elsewhere) == expected
            there.discard(expected)
        assert len(ready) == len(there)
        assert all(name in ready for name in there)


def test_a_task_that_another_process_computes_is_ready_again_after_pauses_that_double():
    now_s, told = 0.0, list[Event]()
    graph = Graph([Task("one", (), "", None)], on_event=told.append, clock=lambda: now_s)
    pauses = []
    for _ in range(8):
        assert graph.ready.take() == "one"
        graph.postpone("one", "elsewhere")
        assert not graph.ready
        pauses.append(graph.pause_s)
        now_s += 0.9 * graph.pause_s
        graph.wake()
        assert not graph.ready
        now_s += graph.pause_s + 1e-9
        graph.wake()
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0])
    assert {event.kind for event in told} == {"waiting"}
    assert graph.pause_s == float("inf")
