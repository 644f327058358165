"""What every fleet promises. See `ports.Fleet`."""

from __future__ import annotations

from tests.workers import Workers


def ids(workers: Workers) -> list[str]:
    return sorted(task.id for task in workers.fleet.tasks())


def test_a_fleet_at_rest(workers: Workers) -> None:
    assert workers.fleet.tasks() == workers.fleet.recent() == workers.fleet.survey() == []
    assert workers.fleet.start(0) == []
    assert workers.fleet.ended([]) == set()
    assert workers.fleet.log("worker-9") == []
    workers.fleet.stop("worker-9")


def test_a_worker_is_a_task_while_it_lives(workers: Workers) -> None:
    first, second = workers.begin(), workers.begin()
    assert ids(workers) == ids(workers) == sorted([first, second])
    task = workers.fleet.tasks()[0]
    assert task.live
    assert task.asked_at <= (task.started_at or 0)
    assert (task.instance, task.type) in [(it.id, it.type) for it in workers.fleet.instances()]
    workers.kill(first)
    assert ids(workers) == [second]
    workers.kill(second)
    assert ids(workers) == []


def test_who_has_ended_is_known(workers: Workers) -> None:
    first, second = workers.begin(), workers.begin()
    assert workers.fleet.ended({first, second}) == set()
    workers.kill(first)
    assert workers.fleet.ended({first, second}) == {first}
    for seen in (workers.fleet.recent(), workers.fleet.survey()):
        assert [task.id for task in seen if task.live] == [second]


def test_a_stopped_worker_ends_and_the_others_go_on(workers: Workers) -> None:
    first, second = workers.begin(), workers.begin()
    task = next(task for task in workers.fleet.tasks() if task.id == first)
    workers.fleet.stop(first)
    workers.ended(task)
    assert ids(workers) == [second]


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
    workers.fleet.stop(task.id, "changed my mind")
    workers.ended(task)
    assert ids(workers) == []
    workers.fleet.stop(task.id)
