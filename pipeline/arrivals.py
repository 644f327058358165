"""What there is to transcribe, and when it appears: scenarios for `simulation`.

Times are seconds from a scenario's beginning. Nothing is random but through the generator passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

_HOUR_S = 3600.0

#: Of each hour, how many episodes appear in it beside the others. That most appear from 11 pm to 6 am, and
#: most of all at 2 am, then 5 am and 11 pm, is what Megaphone saw of its shows (US East, April 2018 to March
#: 2019; told by Inside Radio in May 2019). The figures themselves are our guess.
_HOURS = (7, 7, 10, 7, 5, 9, 5, 4, 4, 4, 4, 3, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 3, 8)
_ON_THE_HOUR = 0.3  #: of episodes: 197 of 674 dates in the real feeds that we test with have minute 0
_LENGTH_S, _SPREAD = 2700.0, 0.5  #: the median, and the logarithm's deviation; of single shows 0.3 to 0.7
_SHORTEST_S, _LONGEST_S = 300.0, 10_800.0


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An episode that is published, and how many seconds of audio it is."""

    at: float
    audio_s: float


def network_day(rng: Random, shows: int) -> tuple[Arrival, ...]:
    """What weekly shows publish in a day: a seventh of them, as chance has it."""
    times = sorted(_times_of_day(rng, sum(rng.random() < 1 / 7 for _ in range(shows))))
    return tuple(Arrival(at=at, audio_s=_length(rng)) for at in times)


def network(rng: Random, episodes: int, days: int) -> tuple[Arrival, ...]:
    """So many episodes, each on a day that chance chose."""
    times = sorted(rng.randrange(days) * 24 * _HOUR_S + at for at in _times_of_day(rng, episodes))
    return tuple(Arrival(at=at, audio_s=_length(rng)) for at in times)


def catalogue(rng: Random, episodes: int) -> tuple[Arrival, ...]:
    """So many episodes, all there at the beginning."""
    return tuple(Arrival(at=0.0, audio_s=_length(rng)) for _ in range(episodes))


def _times_of_day(rng: Random, episodes: int) -> list[float]:
    hours = rng.choices(range(24), _HOURS, k=episodes)
    into = [0.0 if rng.random() < _ON_THE_HOUR else rng.uniform(0, _HOUR_S) for _ in hours]
    return [hour * _HOUR_S + seconds for hour, seconds in zip(hours, into, strict=True)]


def _length(rng: Random) -> float:
    """Seconds, lognormal: half of all between 32 and 63 minutes, one in 20 above 100."""
    return min(_LONGEST_S, max(_SHORTEST_S, rng.lognormvariate(math.log(_LENGTH_S), _SPREAD)))
