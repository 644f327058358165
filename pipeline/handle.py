"""An episode in somebody's hands: changes are made to it as it is now, or not at all."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.errors import Conflict, LeaseLost
from pipeline.model import Change, Episode
from pipeline.ports import Ledger


class Handle:
    """Records one change after another to an episode.

    A poll may refresh an episode's title while a worker has it: the worker's change is then made to
    the fresh one, as long as the claim is still the worker's own.
    """

    def __init__(self, ledger: Ledger, episode: Episode) -> None:
        self._ledger = ledger
        self.episode = episode

    def write(self, decide: Callable[[Episode], Change]) -> Episode:
        """Record what `decide` makes of the episode. Raises LeaseLost, IllegalMove."""
        while True:
            change = decide(self.episode)
            try:
                self._ledger.record([change])
            except Conflict:
                self.episode = self._still_ours()
            else:
                self.episode = change.episode
                return self.episode

    def _still_ours(self) -> Episode:
        fresh = self._ledger.get(self.episode.id)
        mine = self.episode.claim
        if fresh and mine and fresh.claim and fresh.claim.token == mine.token:
            return fresh
        raise LeaseLost(f"{self.episode.id} was changed by somebody else meanwhile", "run again")
