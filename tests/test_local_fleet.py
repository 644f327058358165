"""Locks of the local fleet; what all fleets promise is in contracts/."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.adapters.local_fleet import LocalFleet, new_task_id, only_one
from pipeline.errors import Busy, StorageError


def test_this_process_is_a_task_while_it_says_so(fleet: LocalFleet, tmp_path: Path) -> None:
    with fleet.presence("worker-1"):
        assert [task.id for task in fleet.tasks()] == ["worker-1"]
        other = LocalFleet(tmp_path / "workers", tmp_path / "proofcast.toml")
        assert other.tasks() == fleet.tasks()
    assert fleet.tasks() == []
    assert list((tmp_path / "workers").iterdir()) == []


def test_what_a_killed_worker_left_behind_is_cleared_away(fleet: LocalFleet, tmp_path: Path) -> None:
    folder = tmp_path / "workers"
    folder.mkdir()
    (folder / "worker-1.json").write_text('{"pid":1,"started_at":1}')
    (folder / "worker-1.lock").touch()
    (folder / "worker-1.log").touch()
    assert fleet.tasks() == []
    assert [path.name for path in folder.iterdir()] == ["worker-1.log"]


def test_a_worker_that_has_not_said_all_yet_is_no_task(fleet: LocalFleet, tmp_path: Path) -> None:
    with fleet.presence("worker-1"):
        (tmp_path / "workers" / "worker-1.json").write_text('{"pid":')
        assert fleet.tasks() == []


def test_a_folder_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "workers").touch()
    fleet = LocalFleet(tmp_path / "workers" / "here", tmp_path / "proofcast.toml")
    with pytest.raises(StorageError), fleet.presence("worker-1"):
        pass
    with pytest.raises(StorageError):
        fleet.start(1)
    assert fleet.tasks() == []


def test_names_of_tasks_differ() -> None:
    assert len({new_task_id() for _ in range(100)}) == 100


def test_only_one_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "data" / "poll.lock"
    with only_one(lock, "a poll"):
        with pytest.raises(Busy, match="a poll is running already") as busy, only_one(lock, "a poll"):
            pass
        assert busy.value.exit_code == 75
        with only_one(tmp_path / "data" / "work.lock", "work"):
            pass
    with only_one(lock, "a poll"):
        pass
    with pytest.raises(RuntimeError), only_one(lock, "a poll"):
        raise RuntimeError
    with only_one(lock, "a poll"):
        pass
