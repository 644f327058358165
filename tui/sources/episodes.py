"""All episodes: a page of them at once, then everything, and from then on what changes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import Any, ClassVar

from pipeline.model import Episode, State
from pipeline.queueing import in_hand
from tui.ports import Engine
from tui.sources.reading import Reading, everything
from tui.sources.said import Span, bar, length, named, review_name, short, span, web
from tui.values import Column, Line, Tone, clean

COLUMNS = (
    Column(key="state", title="ST", width=8),
    Column(key="episode", title="EPISODE", width=28, grows=True),
    Column(key="step", title="STEP", width=10, drop=1),
    Column(key="done", title="%", width=10, drop=2),
    Column(key="dur", title="DUR", width=6, right=True, drop=3),
    Column(key="cost", title="$", width=6, right=True),
    Column(key="age", title="AGE", width=4, right=True),
    Column(key="show", title="SHOW", width=12, drop=4),
    Column(key="attempt", title="TRY", width=3, right=True, drop=5),
    Column(key="pr", title="PR", width=12, drop=6),
)

_COST, _AGE = (next(n for n, column in enumerate(COLUMNS) if column.key == key) for key in ("cost", "age"))

SIGNS: Mapping[State, tuple[str, Tone]] = {
    State.DISCOVERED: (". new", Tone.PLAIN),
    State.HELD: ("? held", Tone.WARN),
    State.QUEUED: (". queue", Tone.PLAIN),
    State.TRANSCRIBING: ("* run", Tone.BUSY),
    State.TRANSCRIBED: ("* made", Tone.BUSY),
    State.IN_REVIEW: ("= review", Tone.GOOD),
    State.PUBLISHED: ("+ done", Tone.DIM),
    State.REJECTED: ("x closed", Tone.DIM),
    State.SKIPPED: ("- skip", Tone.DIM),
    State.FAILED: ("! fail", Tone.BAD),
}

_NEXT: Mapping[State, str] = {
    State.DISCOVERED: "seen in the feed: the next poll queues it",
    State.HELD: "- release queues it, skip leaves it out",
    State.IN_REVIEW: "waits for people",
    State.PUBLISHED: "is merged",
    State.REJECTED: "was closed without merging: retry makes a new transcript",
    State.SKIPPED: "- retry brings it back",
}

_PAGE = 500
_NEWEST = 200  #: that the first reading shows
_SCREENFUL = 50  #: of queued ones, that each reading looks at
_WHOLE_S = (30.0, 300.0)  #: from one reading of everything to the next, on this machine and on AWS
_SOONEST_S = (5.0, 60.0)  #: the same, where counts say that something moved unseen


@dataclass(frozen=True, slots=True)
class _Kept:
    """Of an episode, no more than its line and what tells whether that is still right."""

    line: Line
    version: int
    state: State
    order: tuple[float, str]
    since: float  #: what its age is counted from
    until: float  #: when that reads otherwise


class EpisodesSource(Reading):
    """Where workers are is read each time; the rest when the counts by state no longer fit, or are old."""

    name = "episodes"
    every_s: ClassVar[tuple[float, float]] = (1.0, 10.0)

    def __init__(self, at: Engine) -> None:
        super().__init__(at)
        self.columns = COLUMNS
        self._remote = at.config.engine == "aws"
        self._kept: dict[str, _Kept] = {}
        self._unordered = False
        self._working: set[str] = set()
        self._whole_at: float | None = None
        self._lines: tuple[Line, ...] = ()
        self._made_at = 0.0

    @property
    def interval_s(self) -> float:
        """The second reading, of everything, follows the first at once."""
        return super().interval_s if self._whole_at is not None else 0.0

    def look(self, now: float) -> tuple[Sequence[Line], Mapping[str, Any]]:
        """Lines, newest first; whether they are all of them."""
        first = not self._kept
        counts = self.at.ledger.counts()
        self._take(self._moving(), now)
        if first:
            self._take(self.at.ledger.episodes(limit=_NEWEST), now)
        elif self._whole_at is None or self._is_old(counts, now):
            self._take(everything(self.at.ledger), now)
            self._whole_at = time.monotonic()
        whole = self._whole_at is not None or not counts
        if whole and self._whole_at is None:
            self._whole_at = time.monotonic()
        return self._made(now), {"episodes": {s.value: n for s, n in counts.items()}, "whole": whole}

    def _moving(self) -> list[Episode]:
        """Those that workers have, those that had one a reading ago, and the newest of the queue."""
        ledger = self.at.ledger
        working = in_hand(ledger)
        ids = {each.id for each in working}
        done = ledger.several(sorted(self._working - ids)) if self._working - ids else []
        self._working = ids
        return [*working, *done, *ledger.episodes(state=State.QUEUED, limit=_SCREENFUL)]

    def _is_old(self, counts: Mapping[State, int], now: float) -> bool:
        """Whether everything has to be read again; a page of the newest may do."""
        since = time.monotonic() - (self._whole_at or 0.0)
        if since > _WHOLE_S[self._remote]:
            return True
        if self._counted() == counts:
            return False
        self._take(self.at.ledger.episodes(limit=_PAGE), now)
        return since > _SOONEST_S[self._remote] and self._counted() != counts

    def _counted(self) -> Counter[State]:
        return Counter(kept.state for kept in self._kept.values())

    def _take(self, episodes: Iterable[Episode], now: float) -> None:
        for episode in episodes:
            before = self._kept.get(episode.id)
            kept = _kept(episode, now, before)
            self._kept[episode.id] = kept
            self._unordered |= before is None or before.order != kept.order

    def _made(self, now: float) -> tuple[Line, ...]:
        """The same tuple as before where nothing reads otherwise."""
        if self._unordered:
            ordered = sorted(self._kept.items(), key=lambda item: item[1].order, reverse=True)
            self._kept, self._unordered = dict(ordered), False
        for id, kept in self._kept.items():
            if kept.until <= now or now < self._made_at:  # the clock may have gone back
                self._kept[id] = _aged(kept, now)
        self._made_at = now
        lines = tuple(kept.line for kept in self._kept.values())
        if lines != self._lines:
            self._lines = lines
        return self._lines


def _kept(episode: Episode, now: float, before: _Kept | None) -> _Kept:
    """What was kept before, where the episode is the same: bills and heartbeats make no new version."""
    usd = float(sum(episode.charges.values())) if episode.charges else None
    if (
        before
        and before.version == episode.version
        and not episode.claim
        and before.line.values[_COST] == usd
    ):
        return before
    published = episode.published
    since = episode.queued_at if episode.state is State.QUEUED else episode.updated_at
    age = span(now - since)
    return _Kept(
        line=_line(episode, usd, age, now),
        version=episode.version,
        state=episode.state,
        order=(episode.discovered_at if published is None else published, episode.id),
        since=since,
        until=_until(since, age, now),
    )


def _aged(kept: _Kept, now: float) -> _Kept:
    """With its age as it is now."""
    age, line = span(now - kept.since), kept.line
    cells = (*line.cells[:_AGE], age.text, *line.cells[_AGE + 1 :])
    values = (*line.values[:_AGE], age.seconds, *line.values[_AGE + 1 :])
    return replace(kept, line=replace(line, cells=cells, values=values), until=_until(kept.since, age, now))


def _until(since: float, age: Span, now: float) -> float:
    return now + age.unit - (now - since) % age.unit


def _line(episode: Episode, usd: float | None, age: Span, now: float) -> Line:
    sign, tone = SIGNS[episode.state]
    progress, name, pr = episode.progress, named(episode), review_name(episode.review)
    share = progress.done_s / progress.total_s if progress and progress.total_s else None
    show, state, step = intern(episode.feed), intern(episode.state.value), intern(f"{episode.step or ''}")
    return Line(
        id=episode.id,
        cells=(
            *(sign, name, step, bar(share) if share is not None else "", length(episode.duration_s)),
            *("" if usd is None else f"{usd:.2f}", age.text, show, f"{episode.attempts or ''}", pr),
        ),
        values=(
            *(state, name, step, share and 100 * share, episode.duration_s),
            *(usd, age.seconds, show, episode.attempts, pr),
        ),
        tone=tone,
        why=why(episode, now),
        url=web(episode.review and episode.review.url) or web(episode.link),
        episode=episode.id,
        task=episode.claim.worker if episode.claim else episode.id if episode.attempts else "",
        lost=lost(episode, now),
    )


def why(episode: Episode, now: float) -> str:
    """Why it stands where it does, and what comes next."""
    match episode.state:
        case State.FAILED:
            said = _failed(episode)
        case State.QUEUED:
            said = f"waits for a worker{_after(episode)}"
        case State.TRANSCRIBING | State.TRANSCRIBED:
            said = _working(episode, now)
        case state:
            said = " ".join(filter(None, (episode.reason or _place(episode), _NEXT[state])))
    return clean(said)


def lost(episode: Episode, now: float) -> str:
    """What is done again if its worker is stopped."""
    if episode.claim is None:
        return ""
    return f"{short(episode)} is given back: {length(now - episode.claim.since)} of work"


def _failed(episode: Episode) -> str:
    failure = episode.failure
    told = f"{failure.step}: {failure.reason}" if failure else "failed"
    return f"{told}; retry brings it back, skip leaves it out"


def _after(episode: Episode) -> str:
    failure = episode.failure
    return f", after try {episode.attempts} failed at {failure.step}: {failure.reason}" if failure else ""


def _working(episode: Episode, now: float) -> str:
    claim, progress = episode.claim, episode.progress
    if claim is None:
        return f"its transcript is made; a worker opens its review{_after(episode)}"
    if claim.until < now:
        return f"{claim.worker} was last heard of {span(now - claim.until).text} ago; another one takes over"
    if progress is None or not progress.speed:
        return f"{claim.worker} has it since {span(now - claim.since).text}"
    left = (progress.total_s - progress.done_s) / progress.speed - (now - progress.at)
    return (
        f"{length(progress.done_s)} of {length(progress.total_s)} done at {progress.speed:.1f}x,"
        f" about {length(max(0.0, left))} left, by {claim.worker}"
    )


def _place(episode: Episode) -> str:
    review = episode.review
    return "" if review is None else review.url if "://" in review.url else review.branch
