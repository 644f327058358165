"""What every fleet promises. See `ports.Fleet`."""

from __future__ import annotations

from tests.workers import Workers


def ids(workers: Workers) -> list[str]:
    return sorted(task.id for task in workers.fleet.tasks())


def test_a_fleet_at_rest(workers: Workers) -> None:
    assert workers.fleet.tasks() == []
    assert workers.fleet.start(0) == []
    workers.fleet.stop("worker-9")


def test_a_worker_is_a_task_while_it_lives(workers: Workers) -> None:
    workers.begin("worker-1")
    workers.begin("worker-2")
    assert ids(workers) == ids(workers) == ["worker-1", "worker-2"]
    first = workers.fleet.tasks()[0]
    assert first.asked_at <= (first.started_at or 0)
    assert first.instance in [instance.id for instance in workers.fleet.instances()]
    workers.kill("worker-1")
    assert ids(workers) == ["worker-2"]
    workers.kill("worker-2")
    assert ids(workers) == []


def test_a_stopped_worker_ends_and_the_others_go_on(workers: Workers) -> None:
    workers.begin("worker-1")
    workers.begin("worker-2")
    task = next(task for task in workers.fleet.tasks() if task.id == "worker-1")
    workers.fleet.stop("worker-1")
    workers.ended(task)
    assert ids(workers) == ["worker-2"]


def test_started_workers_are_tasks_at_once_and_end_by_themselves(workers: Workers) -> None:
    tasks = workers.fleet.start(2)
    assert len({task.id for task in tasks}) == 2
    assert ids(workers) == sorted(task.id for task in tasks)
    for task in tasks:  # nothing is on the queue
        workers.ended(task)
    assert ids(workers) == []


def test_a_worker_can_be_stopped_as_soon_as_it_was_started(workers: Workers) -> None:
    workers.keep_busy()
    (task,) = workers.fleet.start(1)
    workers.fleet.stop(task.id)
    workers.ended(task)
    assert ids(workers) == []
    workers.fleet.stop(task.id)
