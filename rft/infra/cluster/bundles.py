"""Tasks that share a job: several small ones of one level of the graph and of one demand, then short chains of jobs.

    bundles = bundles_of(tasks, table=table, most_tasks=8, most_s=1800.0, workers=16)
    bundles[0].tasks                # run one after the other, in this order, in one job

    >>> shards = [Task(f"shard {i}", ("sft",), "m:f", None, group="shard") for i in range(5)]
    >>> tasks = [Task("sft", (), "m:f", None), *shards]
    >>> found = bundles_of(tasks, table=ResourceTable.read({}), most_tasks=3, most_s=1800.0, workers=16)
    >>> [len(one.tasks) for one in found], [sorted(one) for one in needs_of(found)]
    ([1, 3, 2], [[], [0], [0]])

Of one level means that no task of a bundle waits for another: bundles wait for each other without a circle. Long tasks that
could run beside each other get jobs of their own, as long as there are `workers` for them. A bundle joins one that nothing
else waits for, where it would start right after that one anyhow.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rft.infra.cluster.resources import Resources, ResourceTable
from rft.infra.graph import Task, priorities

# Of work in a job, beside which its start (a look at the queue, two Pythons, the libraries) counts little
WORTH_S = 30.0


@dataclass(frozen=True)
class Bundle:
    """Tasks of one job."""

    tasks: tuple[Task, ...]
    resources: Resources

    @property
    def cost_s(self) -> float:
        """Estimated seconds."""
        return sum(task.cost_s for task in self.tasks)

    @property
    def outside(self) -> set[str]:
        """Ids of the tasks of other bundles that it waits for."""
        return {dep for task in self.tasks for dep in task.deps} - {task.id for task in self.tasks}


def bundles_of(
    tasks: Sequence[Task], *, table: ResourceTable, most_tasks: int, most_s: float, workers: int
) -> list[Bundle]:
    """All tasks in bundles, each after those that it waits for; a bundle ends before it has more tasks or seconds.

    `workers` jobs will run at once: what they could share is not put into one.
    """
    for name, value in (("stages_per_job", most_tasks), ("workers", workers)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    level, longest = levels(tasks), priorities(tasks)

    def order(task: Task) -> tuple[int, str, tuple[str, ...], float]:
        return level[task.id], repr(table.of(task)), tuple(sorted(task.deps)), -longest[task.id]

    found = []
    for _, alike in itertools.groupby(sorted(tasks, key=order), key=lambda task: order(task)[:2]):
        beside = list(alike)
        share_s = max(WORTH_S, sum(task.cost_s for task in beside) / workers)
        found += list(_packed(beside, table, most_tasks, min(most_s, share_s)))
    return _chained(found, most_tasks, most_s)


def levels(tasks: Sequence[Task]) -> dict[str, int]:
    """The number of tasks on the longest chain before each."""
    by_id = {task.id: task for task in tasks}
    level: dict[str, int] = {}
    for task_id in sorted(longest := _lengths(tasks), key=lambda one: -longest[one]):
        level[task_id] = max((level[dep] + 1 for dep in by_id[task_id].deps), default=0)
    return level


def needs_of(bundles: Sequence[Bundle]) -> list[set[int]]:
    """The numbers of the bundles that each waits for."""
    place = {task.id: number for number, bundle in enumerate(bundles) for task in bundle.tasks}
    return [{place[dep] for dep in bundle.outside} for bundle in bundles]


def _lengths(tasks: Sequence[Task]) -> dict[str, float]:
    """The number of tasks on the longest chain from each."""
    return priorities([Task(task.id, task.deps, "", None, cost_s=1.0) for task in tasks])


def _packed(tasks: Sequence[Task], table: ResourceTable, most_tasks: int, most_s: float) -> Iterator[Bundle]:
    """Tasks in their order, cut where a bundle is full."""
    own: list[Task] = []
    for task in tasks:
        if own and (len(own) == most_tasks or sum(one.cost_s for one in own) + task.cost_s > most_s):
            yield Bundle(tuple(own), table.of(own[0]))
            own = []
        own.append(task)
    yield Bundle(tuple(own), table.of(own[0]))


def _chained(bundles: Sequence[Bundle], most_tasks: int, most_s: float) -> list[Bundle]:
    """Join each bundle to one that it alone waits for, if all else that it waits for has to end before that one too."""
    needs = needs_of(bundles)
    followers: list[set[int]] = [set() for _ in bundles]
    for number, own in enumerate(needs):
        for one in own:
            followers[one].add(number)
    merged, members = dict(enumerate(bundles)), [{number} for number in range(len(bundles))]
    into, before = list(range(len(bundles))), [set(own) for own in needs]  # of the bundle that each became part of
    for number, bundle in enumerate(bundles):
        roots = {into[one] for one in needs[number]}
        for root in (one for one in roots if roots - {one} <= {into[two] for two in before[one]}):
            first = merged[root]
            alone = set().union(*(followers[one] for one in members[root])) - members[root] == {number}
            fits = len(first.tasks) + len(bundle.tasks) <= most_tasks and first.cost_s + bundle.cost_s <= most_s
            if alone and fits and first.resources == bundle.resources:
                into[number] = root
                members[root].add(number)
                merged[root] = Bundle((*first.tasks, *bundle.tasks), first.resources)
                del merged[number]
                break
    return list(merged.values())
