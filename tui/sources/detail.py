"""Everything about one episode: its way as a timeline, what was made, what it cost, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any, ClassVar

from pipeline import states
from pipeline.accounts import Kept, would_be
from pipeline.advice import worked
from pipeline.errors import StorageError
from pipeline.formats import read_transcript
from pipeline.model import CostLine, Episode, Event, State, Step
from pipeline.reporting import explained
from pipeline.status import find_episode
from tui.ports import Engine
from tui.sources.episodes import SIGNS, lost, why
from tui.sources.reading import Reading, everything
from tui.sources.reviews import doubts_of
from tui.sources.said import length, named, review_name, web
from tui.values import Column, Line, clean

COLUMNS = (
    Column(key="at", title="WHEN", width=19),
    Column(key="state", title="STATE", width=8),
    Column(key="step", title="STEP", width=10),
    Column(key="took", title="TOOK", width=6, right=True),
    Column(key="detail", title="DETAIL", width=30, grows=True),
)

_WAY = ("queue", "start", "download", "decode", "transcribe", "store", "review", "people")
_TO_DO: Mapping[Step, str] = {
    Step.POLL: "its feed item has no audio: when the feed has some, the next poll takes it",
    Step.DOWNLOAD: "see whether its audio can be fetched at its address; retry fetches it anew",
    Step.DECODE: "the file is not audio that can be used: have it replaced, then retry fetches it anew",
    Step.TRANSCRIBE: "its worker's log says more, 'proofcast doctor' checks the model; then retry",
    Step.STORE: "'proofcast doctor' checks where artifacts are kept; then retry",
    Step.REVIEW: "'proofcast doctor' checks the site's repository; retry opens it, the transcript stays",
}


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of an episode's way."""

    name: str
    state: str  #: done, now, failed, next
    began_at: float | None = None
    took_s: float | None = None  #: until now, where it goes on


class Imagined:
    """What episodes would have cost where nothing is paid, for all pages of an engine: they share what
    idles, so that each figure takes all of them, and a while."""

    def __init__(self, at: Engine) -> None:
        self._at = at
        self._reading = Lock()
        self._seen: set[tuple[str, float | None, float | None]] = set()
        self._kept = Kept(bills=[])

    def bills_with(self, episode: Episode) -> Kept:
        """Read anew where the episode was worked on since."""
        at, work = self._at, (episode.id, episode.worked_s, episode.duration_s)
        if not episode.worked_s:
            return would_be(at.config, at.prices, [])
        with self._reading:
            if work not in self._seen:
                episodes = worked(everything(at.ledger))
                self._seen = {(each.id, each.worked_s, each.duration_s) for each in episodes}
                self._kept = would_be(at.config, at.prices, episodes)
            return self._kept


class DetailSource(Reading):
    """Lines are the episode's history; everything else is in the facts."""

    name = "detail"
    every_s: ClassVar[tuple[float, float]] = (2.0, 10.0)

    def __init__(self, at: Engine, episode: str, imagined: Imagined | None = None) -> None:
        super().__init__(at)
        self._imagined = imagined or Imagined(at)
        self.columns = COLUMNS
        self._wanted = episode
        self._transcript: tuple[str, Mapping[str, Any]] = "", {}
        self._costs: tuple[object, list[CostLine], Kept] = None, [], Kept(bills=[])

    def look(self, now: float) -> tuple[Sequence[Line], Mapping[str, Any]]:
        """Raises ConfigError where there is no such episode, or several that could be meant."""
        at = self.at
        episode = find_episode(at.ledger, self._wanted)
        self._wanted = episode.id
        events = at.ledger.events(episode.id)
        costs, kept = self._cost_of(episode, events)
        claim, progress, review = episode.claim, episode.progress, episode.review
        facts = {
            "id": episode.id,
            "title": named(episode),
            "state": episode.state.value,
            "sign": SIGNS[episode.state][0],
            "why": why(episode, now),
            "lost": lost(episode, now),
            "about": _about(episode),
            "timeline": timeline(events, now),
            "progress": (progress.done_s, progress.total_s, progress.speed) if progress else None,
            "artifacts": tuple(
                (name, clean(at.artifacts.place(key))) for name, key in sorted(episode.artifacts.items())
            ),
            "quality": self._quality_of(episode),
            "costs": tuple(map(_cost_cells, costs)),
            "usd": sum(line.usd for line in costs),
            "imagined_on": kept.imagined_on,
            "error": _error(episode),
            "review": (review_name(review), clean(review.url or review.branch), review.state.value)
            if review
            else None,
            "url": web(review and review.url) or web(episode.link),
            "task": claim.worker if claim else episode.id if episode.attempts else "",
        }
        return _history(events, now), facts

    def _cost_of(self, episode: Episode, events: Sequence[Event]) -> tuple[list[CostLine], Kept]:
        """Its lines of all bills; read anew only when it was billed, or got further."""
        at, key = self.at, (episode.version, episode.charges)
        if self._costs[0] != key:
            since = events[0].at if events else 0.0
            if at.books:
                kept = Kept(bills=at.ledger.bills(since) if episode.charges else [])
            else:
                kept = self._imagined.bills_with(episode)
            self._costs = key, explained(episode.id, kept.bills), kept
        return self._costs[1], self._costs[2]

    def _quality_of(self, episode: Episode) -> Mapping[str, Any]:
        """What the transcript says of itself, and how much of it is in doubt; nothing where there is none."""
        key = episode.artifacts.get("transcript", "")
        if key and self._transcript[0] != f"{key} {episode.version}":
            self._transcript = f"{key} {episode.version}", self._read(key)
        return self._transcript[1] if key else {}

    def _read(self, key: str) -> Mapping[str, Any]:
        data = self.at.artifacts.get(key)
        if data is None:
            return {"trouble": "its transcript is gone from the store"}
        try:
            transcript = read_transcript(data)
        except StorageError as error:
            return {"trouble": clean(f"{error}")}
        doubts = doubts_of(transcript)
        return {
            "model": clean(f"{transcript.model.get('name', '?')}"),
            "language": clean(transcript.language),
            "words": doubts.words,
            "doubtful": doubts.doubtful,
            "unnamed": doubts.unnamed,
            **{clean(name): clean(f"{value}") for name, value in transcript.quality.items()},
        }


def timeline(events: Sequence[Event], now: float) -> tuple[Phase, ...]:
    """The last try: each step with its beginning and how long it took, and what is still to come."""
    queued = [number for number, event in enumerate(events) if event.state is State.QUEUED]
    last_try = events[queued[-1] if queued else 0 :]
    phases: list[Phase] = []
    for event in last_try:
        name = _phase(event)
        if phases and name == phases[-1].name:
            continue
        if phases and phases[-1].state == "now":
            ended = "failed" if event.state is State.FAILED else "done"
            took_s = max(0.0, event.at - (phases[-1].began_at or event.at))
            phases[-1] = replace(phases[-1], state=ended, took_s=took_s)
        if name:
            phases.append(Phase(name=name, state="now", began_at=event.at))
    if phases and phases[-1].state == "now":
        phases[-1] = replace(phases[-1], took_s=max(0.0, now - (phases[-1].began_at or now)))
    if last_try and last_try[-1].state in states.WORKABLE:
        came = max((_WAY.index(phase.name) for phase in phases if phase.name in _WAY), default=-1)
        phases += [Phase(name=name, state="next") for name in _WAY[came + 1 :]]
    return tuple(phases)


def _phase(event: Event) -> str:
    """What goes on from an event; empty where nothing does."""
    match event.state:
        case State.QUEUED:
            return "queue"
        case State.HELD:
            return "held"
        case State.TRANSCRIBING | State.TRANSCRIBED:
            return event.step or "start"
        case State.IN_REVIEW:
            return "people"
        case _:
            return ""


def _history(events: Sequence[Event], now: float) -> list[Line]:
    following = [*(event.at for event in events[1:]), None]
    return [_event(event, after) for event, after in zip(events, following, strict=True)]


def _event(event: Event, after: float | None) -> Line:
    sign, tone = SIGNS[event.state]
    took_s = max(0.0, after - event.at) if after is not None else None
    return Line(
        id=f"{event.version}",
        cells=(_when(event.at), sign, event.step or "", length(took_s), clean(event.detail)),
        values=(event.at, event.state.value, event.step, took_s, event.detail),
        tone=tone,
        why=clean(event.detail),
        task=event.worker or "",
    )


def _about(episode: Episode) -> tuple[tuple[str, str], ...]:
    """What is known of it, with names."""
    said = {
        "published": _when(episode.published) if episode.published else "",
        "length": length(episode.duration_s),
        "language": episode.language or "",
        "audio": episode.enclosure.url if episode.enclosure else "",
        "page": episode.link or "",
        "attempts": f"{episode.attempts or ''}",
        "worked": length(episode.worked_s),
    }
    return tuple((name, clean(value)) for name, value in said.items() if value)


def _error(episode: Episode) -> Mapping[str, str] | None:
    failure = episode.failure
    if failure is None:
        return None
    return {"step": failure.step, "reason": clean(failure.reason, 2000), "to_do": _TO_DO[failure.step]}


def _cost_cells(line: CostLine) -> tuple[str, ...]:
    """What, for what, how much of it, at which price, and who says so."""
    return (
        line.what,
        line.part,
        f"{line.quantity:.4f} {line.price.unit}",
        f"{line.price.usd.normalize():f}",
        f"{line.usd:.6f}",
        f"{clean(line.price.source)}, {datetime.fromtimestamp(line.price.at, UTC):%Y-%m-%d}",
    )


def _when(at: float) -> str:
    """In the user's own zone."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
