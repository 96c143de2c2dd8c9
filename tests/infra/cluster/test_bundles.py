"""Tasks in jobs: against a brute-force look at every property, on random graphs."""

from __future__ import annotations

import random

import pytest

from rft.infra.cluster.bundles import bundles_of, levels, needs_of
from rft.infra.cluster.resources import Resources, ResourceTable
from rft.infra.graph import Task

PLAIN = ResourceTable.read({})
BY_KIND = ResourceTable.read({"kinds": {"train": {"gpus": 1}}, "models": {"big": {"train": {"gpus": 8}}}})


def graph(seed: int, *, size: int = 40) -> list[Task]:
    draw = random.Random(seed)
    tasks: list[Task] = []
    for number in range(size):
        deps = draw.sample([task.id for task in tasks], k=min(len(tasks), draw.choice([0, 1, 1, 2, 5])))
        kind = draw.choice(["train", "data"])
        model = draw.choice(["", "big"])
        tasks.append(Task(str(number), tuple(deps), "m:f", None, cost_s=draw.choice([1, 50]), group=kind, model=model))
    draw.shuffle(tasks)
    return tasks


@pytest.mark.parametrize("seed", range(30))
def test_every_task_is_in_one_job_after_what_it_needs(seed: int):
    tasks = graph(seed)
    bundles = bundles_of(tasks, table=BY_KIND, most_tasks=4, most_s=120.0, workers=2)
    order = [task.id for bundle in bundles for task in bundle.tasks]
    assert sorted(order) == sorted(task.id for task in tasks)
    for task in tasks:
        assert all(order.index(dep) < order.index(task.id) for dep in task.deps)
    for number, needs in enumerate(needs_of(bundles)):
        assert all(other < number for other in needs)
    for bundle in bundles:
        assert len(bundle.tasks) <= 4
        assert len(bundle.tasks) == 1 or bundle.cost_s <= 120.0
        assert {BY_KIND.of(task) for task in bundle.tasks} == {bundle.resources}


def test_two_thousand_tiny_stages_are_few_jobs():
    shards = [Task(f"shard {n}", ("sft",), "m:f", None, cost_s=1.0) for n in range(2000)]
    bundles = bundles_of([Task("sft", (), "m:f", None), *shards], table=PLAIN, most_tasks=64, most_s=3600.0, workers=16)
    assert len(bundles) == 1 + 32


def test_a_chain_shares_a_job_and_a_long_stage_does_not():
    chain = [Task("a", (), "m:f", None), Task("b", ("a",), "m:f", None), Task("c", ("b",), "m:f", None)]
    assert len(bundles_of(chain, table=PLAIN, most_tasks=8, most_s=60.0, workers=16)) == 1
    assert len(bundles_of(chain, table=PLAIN, most_tasks=2, most_s=60.0, workers=16)) == 2
    slow = [Task(task.id, task.deps, "m:f", None, cost_s=100.0) for task in chain]
    assert len(bundles_of(slow, table=PLAIN, most_tasks=8, most_s=60.0, workers=16)) == 3


def test_long_stages_that_could_run_side_by_side_are_not_one_job():
    """Three trainings of nine minutes take nine minutes where three jobs run at once, not 27 in one job."""

    def sizes(cost_s: float, *, count: int, workers: int) -> list[int]:
        trainings = [Task(f"train {n}", (), "m:f", None, cost_s=cost_s) for n in range(count)]
        found = bundles_of(trainings, table=PLAIN, most_tasks=8, most_s=1800.0, workers=workers)
        return [len(one.tasks) for one in found]

    assert sizes(540.0, count=3, workers=16) == [1, 1, 1]
    assert sizes(540.0, count=3, workers=1) == [3]
    assert sizes(100.0, count=8, workers=2) == [4, 4]
    assert sizes(10.0, count=3, workers=16) == [3]  # less than the start of three jobs


@pytest.mark.parametrize("odd", [{"most_tasks": 0, "workers": 1}, {"most_tasks": 1, "workers": 0}])
def test_no_job_at_all_is_refused(odd: dict[str, int]):
    with pytest.raises(ValueError, match=r"(stages_per_job|workers) must be at least 1, got 0"):
        bundles_of([], table=PLAIN, most_s=60.0, **odd)


def test_levels_count_the_longest_chain():
    tasks = [Task("a", (), "", None), Task("b", ("a",), "", None), Task("c", ("a", "b"), "", None)]
    assert levels(tasks) == {"a": 0, "b": 1, "c": 2}


def test_what_is_said_later_wins():
    table = ResourceTable.read(
        {
            "all": {"cpus": 2, "minutes": 5},
            "kinds": {"shard": {"gpus": 0.5}},
            "models": {"big": {"all": {"memory_gb": 64}, "shard": {"gpus": 4}}},
        }
    )
    assert table.of(Task("s", (), "", None, group="shard")) == Resources(2, 0.5, 4.0, 5)
    assert table.of(Task("s", (), "", None, group="shard", model="big")) == Resources(2, 4, 64, 5)
    assert table.of(Task("s", (), "", None, group="select", model="big")) == Resources(2, 0.0, 64, 5)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"cpus": 1}, "resources has cpus; allowed are all, kinds, models"),
        ({"kinds": {"shard": {"gpu": 1}}}, "resources.kinds.shard has gpu; allowed are cpus, gpus"),
        ({"models": {"big": {"all": {"mem": 1}}}}, "resources.models.big.all has mem"),
    ],
)
def test_a_misspelt_quantity_is_refused(said: dict, names: str):
    with pytest.raises(ValueError, match=names):
        ResourceTable.read(said)
