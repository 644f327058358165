"""What the dashboard asks of an engine: `wiring.Engine` keeps it, and nothing here knows how."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pipeline.budget import Spending
    from pipeline.config import Config
    from pipeline.dispatch import Dispatched
    from pipeline.model import FeedState
    from pipeline.ports import ArtifactStore, Clock, Fetched, Fleet, JobQueue, Ledger, PriceList
    from pipeline.publishing import Publisher
    from pipeline.queueing import Tended
    from pipeline.settling import Books
    from pipeline.status import Status


class Engine(Protocol):
    """Read by several threads at once."""

    config: Config
    clock: Clock

    @cached_property
    def ledger(self) -> Ledger: ...
    @cached_property
    def queue(self) -> JobQueue: ...
    @cached_property
    def artifacts(self) -> ArtifactStore: ...
    @cached_property
    def fleet(self) -> Fleet: ...
    @cached_property
    def books(self) -> Books | None: ...
    @cached_property
    def prices(self) -> PriceList: ...
    @property
    def publisher(self) -> Publisher: ...

    def status(self) -> Status: ...
    def spending(self) -> Spending | None: ...
    def held(self) -> bool: ...
    def polling(self) -> AbstractContextManager[None]: ...
    def fetch_feed(self, state: FeedState) -> Fetched: ...
    def tend(self) -> Tended: ...
    def dispatch(self) -> Dispatched | None: ...
    def poller_log(self) -> list[str] | None: ...
