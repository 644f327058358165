"""A job in a worker's hands: what a handler is lent of the desk. See `handling.Item`."""

from __future__ import annotations

from pathlib import Path

from pipeline import states
from pipeline.errors import DownloadError
from pipeline.handle import Handle
from pipeline.keys import key_of
from pipeline.model import Episode, Lease, Progress, Step
from worker.desk import IN_HAND, Desk, Stopped
from worker.heartbeat import Heartbeat


class Lent:
    """One job, with the lease that it is had under and the heart that keeps it."""

    def __init__(self, desk: Desk, lease: Lease, handle: Handle, heart: Heartbeat) -> None:
        self.lease = lease
        self.heart = heart
        self.handle = handle
        self.made: dict[str, str] = {}  #: by name, the keys of what was stored, or found stored
        self._desk = desk
        self._audio: dict[str, str] = {}

    @property
    def episode(self) -> Episode:
        return self.handle.episode

    def file(self) -> Path:
        key = key_of(self.episode, "audio")
        path = self._desk.artifacts.fetch(key) if "audio" in self.episode.artifacts else None
        path = path or self._downloaded(key)
        self._audio = {"audio": key}
        return path

    def step(self, step: Step) -> None:
        at = self._desk.clock()
        self.handle.write(lambda episode: states.at_step(episode, step, at, **self._audio))
        tag = IN_HAND.get()
        if tag:
            tag.step = step
        self._desk.watch.step(self.episode, step)
        self.heart.check()

    def progress(self, done_s: float, total_s: float, speed: float) -> None:
        self._alive()
        self.heart.progress = Progress(done_s=done_s, total_s=total_s, speed=speed, at=self._desk.clock())
        self._desk.watch.progress(done_s, total_s, speed)

    def go_on(self) -> None:
        self.heart.go_on()
        if self._desk.stopping():
            raise Stopped

    def stored(self, name: str) -> bytes | None:
        key = key_of(self.episode, name)
        found = self._desk.artifacts.get(key)
        if found is not None:
            self.made[name] = key
        return found

    def store(self, name: str, data: bytes) -> None:
        self.heart.check()
        key = key_of(self.episode, name)
        self._desk.artifacts.put(key, data)
        self.made[name] = key

    def create(self, name: str, data: bytes) -> bytes:
        self.heart.check()
        key = key_of(self.episode, name)
        there = data if self._desk.artifacts.create(key, data) else self._desk.artifacts.get(key)
        self.made[name] = key
        return there or b""

    def discard(self, name: str) -> None:
        self.heart.check()
        self._desk.artifacts.delete(key_of(self.episode, name))
        self.made.pop(name, None)

    @property
    def artifacts(self) -> dict[str, str]:
        """All that the episode has when a handler has done with it."""
        return {**self.episode.artifacts, **self._audio, **self.made}

    def _downloaded(self, key: str) -> Path:
        self.step(Step.DOWNLOAD)
        episode, desk = self.episode, self._desk
        if episode.enclosure is None:
            raise DownloadError("the episode's audio is gone, and no feed says where it is", permanent=True)
        desk.scratch.mkdir(parents=True, exist_ok=True)
        # Its own: a worker that lost its lease may still be writing.
        path = desk.scratch / f"{episode.id}-{desk.worker}"

        def progress(done: int, total: int | None) -> None:
            self._alive()
            desk.watch.progress(done, total, 0.0)

        desk.fetch_audio(episode)(episode.enclosure.url, path, progress)
        self.heart.check()
        desk.artifacts.put_file(key, path)
        path.unlink(missing_ok=True)
        stored = desk.artifacts.fetch(key)
        assert stored is not None
        return stored

    def _alive(self) -> None:
        self.heart.check()
        self.go_on()
