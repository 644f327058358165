"""What the loop asks of whoever does something with a job, and what it lends them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pipeline.handle import Handle
from pipeline.model import Episode, Step


class Source(Protocol):
    """Something to work on, and where to keep what is made on the way."""

    @property
    def episode(self) -> Episode: ...

    def file(self) -> Path:
        """The job's audio, or whatever file was added; downloaded where it is not there yet."""
        ...

    def progress(self, done_s: float, total_s: float, speed: float) -> None:
        """A sign of life, and how far the work is; call it often, but only where something was done: a
        worker that shows no life for an hour is ended."""
        ...

    def go_on(self) -> None:
        """Raises, as `progress` does, where the work should end; no sign of life, so for whoever waits."""
        ...

    def stored(self, name: str) -> bytes | None:
        """What an earlier attempt stored under this name."""
        ...

    def store(self, name: str, data: bytes) -> None:
        """Keep something of this episode's, replacing what was there. Raises StorageError for a name
        that is not made of lower-case letters, digits, `.`, `-` and `/`."""
        ...

    def discard(self, name: str) -> None:
        """Nothing if it is not there."""
        ...


class Item(Source, Protocol):
    """One job in hand. Every method may raise Stopped or LeaseLost, which a handler lets through."""

    @property
    def handle(self) -> Handle:
        """The episode's record, for a handler that brings it further by itself, as to a review."""
        ...

    def step(self, step: Step) -> None:
        """Say what is being done from now on."""
        ...

    def create(self, name: str, data: bytes) -> bytes:
        """Keep it if nothing is there yet; the answer is what is there now."""
        ...


class Handler(Protocol):
    """Does one job, whole; killed at any point, it is called again with the same episode.

    When it returns, its episode is done, unless it brought it further itself. AudioError and ConfigError
    fail the episode, ModelError and StorageFull end the worker, anything else is tried again.
    """

    def __call__(self, item: Item, /) -> object: ...
