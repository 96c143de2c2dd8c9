"""The simulated sweep: every stage once, after what it needs, and a makespan near the bound that no schedule beats."""

from __future__ import annotations

from itertools import pairwise

import pytest
from scaling.simulated_sweep import CELLS_A_BASE, Run, at_work, simulate, sweep


@pytest.fixture(scope="module")
def run() -> Run:
    return simulate(sweep(1_000), workers=40)


def test_a_sweep_has_the_cells_that_were_asked_for():
    tasks = sweep(100)
    assert sum(task.group == "record" for task in tasks) == 3 * CELLS_A_BASE
    assert len({task.id for task in tasks}) == len(tasks)


def test_each_stage_runs_once_and_after_what_it_needs(run: Run):
    tasks = sweep(1_000)
    assert run.began_s.keys() == run.ended_s.keys() == {task.id for task in tasks}
    for task in tasks:
        assert all(run.ended_s[dep] <= run.began_s[task.id] for dep in task.deps)


def test_no_more_stages_run_at_once_than_there_are_workers(run: Run):
    steps = sorted([(at, 1) for at in run.began_s.values()] + [(at, -1) for at in run.ended_s.values()])
    count, most = 0, 0
    for _, change in steps:
        count += change
        most = max(most, count)
    assert most == 40


def test_the_curve_counts_the_stages_at_work_from_the_first_moment_on(run: Run):
    told = at_work(run, points=50)
    spans = [(began, run.ended_s[name]) for name, began in run.began_s.items()]
    assert told["hours"][:2] == [0.0, 0.0]
    assert told["stages"][1] == sum(began == 0 for began, _ in spans) > 1
    shown_s = [3600 * hour for hour in told["hours"]]
    for at_s, count in list(zip(shown_s, told["stages"], strict=True))[1:]:
        near = [sum(began <= at <= ended for began, ended in spans) for at in (at_s - 0.4, at_s, at_s + 0.4)]
        assert min(near) - 1 <= count <= max(near) + 1  # hours are rounded to a third of a second
    changes = sorted([*run.began_s.values(), *run.ended_s.values()])
    for one, other in pairwise(shown_s):
        assert sum(one < at <= other - 0.4 for at in changes) <= 2 * len(changes) / 50


def test_the_makespan_is_at_most_a_twentieth_over_the_bound(run: Run):
    assert 0 <= run.told.over_bound <= 0.05
    assert run.told.idle == pytest.approx(1 - run.told.bound_h / run.told.makespan_h, abs=1e-3)


def test_with_a_worker_for_every_stage_the_longest_chain_is_all_that_is_waited_for():
    tasks = sweep(88)
    told = simulate(tasks, workers=len(tasks)).told
    assert told.over_bound == 0
    assert told.makespan_h == told.chain_h


def test_one_worker_does_one_after_the_other_and_pays_the_latency_each_time():
    tasks = sweep(44)
    quick, slow = (simulate(tasks, workers=1, latency_s=latency).told for latency in (0.0, 3.6))
    assert quick.over_bound == 0
    assert slow.makespan_h - quick.makespan_h == pytest.approx(len(tasks) / 1000, abs=2e-3)
