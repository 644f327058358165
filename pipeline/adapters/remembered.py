"""Prices, asked for once a day and kept in a file: for who comes next, and for when nobody can be asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec

from pipeline.errors import StorageError
from pipeline.handing import keep
from pipeline.listed import Listed
from pipeline.model import Price
from pipeline.ports import Clock, PriceList

_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """The last price that was said, and when the question was asked last."""

    asked_at: float
    price: Price | None


class RememberedPrices:
    """See `ports.PriceList`: what `live` says, else what it said once, else the list that is shipped.

    A price is asked for again after a day, one of the spot market after an hour, a past one never. Where
    `live` fails it is left alone for an hour, and `trouble` says why. The file is of any number of regions
    and processes; of those that write at once, the last wins. Damaged, or out of reach, it is as none.
    """

    def __init__(self, live: PriceList | None, region: str, file: Path, clock: Clock) -> None:
        self.trouble = ""  #: why `live` is not asked any more
        self._live = live
        self._listed = Listed(region)
        self._region = region
        self._file = file
        self._clock = clock
        self._again_at = -math.inf

    def on_demand(self, instance_type: str) -> Price | None:
        return self._price(
            f"on-demand {instance_type}", _DAY_S, lambda prices: prices.on_demand(instance_type)
        )

    def fee(self, instance_type: str) -> Price | None:
        return self._price(f"fee {instance_type}", _DAY_S, lambda prices: prices.fee(instance_type))

    def spot(self, instance_type: str, zone: str = "", at: float | None = None) -> Price | None:
        return self._price(
            f"spot {instance_type} {zone or 'cheapest'} {'now' if at is None else f'{at:.0f}'}",
            _HOUR_S if at is None else math.inf,
            lambda prices: prices.spot(instance_type, zone, at),
        )

    def _price(self, question: str, lasts_s: float, ask: Callable[[PriceList], Price | None]) -> Price | None:
        key = f"{self._region} {question}"
        answer = self._answers.get(key)
        if self._live and self._clock() >= self._again_at and not self._is_fresh(answer, lasts_s):
            try:
                answer = self._remember(key, ask(self._live), answer)
                self.trouble = ""
            except StorageError as error:
                self.trouble, self._again_at = error.message, self._clock() + _HOUR_S
        return (answer.price if answer else None) or ask(self._listed)

    def _is_fresh(self, answer: _Answer | None, lasts_s: float) -> bool:
        """That there was no price lasts no longer than a day."""
        if answer is None:
            return False
        return self._clock() - answer.asked_at < (lasts_s if answer.price else min(lasts_s, _DAY_S))

    def _remember(self, key: str, price: Price | None, before: _Answer | None) -> _Answer:
        answer = _Answer(asked_at=self._clock(), price=price or (before.price if before else None))
        self._answers.update({**self._read(), **self._answers, key: answer})  # others learn too
        with suppress(OSError):
            keep(msgspec.json.encode(dict(self._answers)), self._file)  # another thread may add to it
        return answer

    @cached_property
    def _answers(self) -> dict[str, _Answer]:
        return self._read()

    def _read(self) -> dict[str, _Answer]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, _Answer])
        except (OSError, ValueError):
            return {}
