"""What a person may have done to an engine, and what each comes to, in words. No Textual here.

An id is an episode's, or a worker's; what can't be done to one of several doesn't keep the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline import queueing
from pipeline.errors import ConfigError, IllegalMove, ProofcastError
from pipeline.handle import Handle
from pipeline.model import Episode, State
from pipeline.queueing import relay
from tui.backend import Action
from tui.ports import Engine
from tui.sources.said import span
from tui.values import Line, clean

_TOLD = 3  #: of several, so many are named


def actions(at: Engine) -> Mapping[str, Action]:
    """Those of an engine, by the ids of their keys."""
    return {
        action.id: action
        for action in (
            Action(id="poll", title="Poll now", run=lambda ids: _poll(at)),
            Action(
                id="retry",
                title="Retry",
                run=lambda ids: _each(at, ids, "queued", lambda e: _retry(at, e)),
                asks=True,
                consequence=_of("{}: queued again, worked on and paid for once more"),
            ),
            Action(
                id="skip",
                title="Skip",
                run=lambda ids: _each(
                    at, ids, "skipped", lambda e: queueing.skip(at.ledger, at.queue, at.clock, e)
                ),
                asks=True,
                consequence=_of("{}: left out, whatever is being done; retry brings back"),
            ),
            Action(
                id="release",
                title="Release",
                run=lambda ids: _each(
                    at, ids, "queued", lambda e: queueing.release(at.ledger, at.queue, at.clock, e)
                ),
                asks=True,
                consequence=_of("{}: queued, and paid for"),
            ),
            Action(
                id="first",
                title="First",
                run=lambda ids: _each(at, ids, "comes next", lambda e: queueing.first(at.queue, e)),
            ),
            Action(
                id="stop",
                title="Stop",
                run=lambda ids: _stop(at, ids),
                asks=True,
                consequence=_stopped,
            ),
            Action(
                id="start",
                title="New worker",
                run=lambda ids: _start(at),
                asks=True,
                consequence=lambda lines: _started(at),
            ),
            Action(
                id="redrive",
                title="Redrive",
                run=lambda ids: _redrive(at),
                asks=True,
                consequence=lambda lines: "everything that was given up is queued again, and paid for again",
            ),
            Action(id="sync", title="Sync", run=lambda ids: _sync(at)),
            Action(
                id="release_budget",
                title="Release budget",
                run=lambda ids: _release_budget(at),
                asks=True,
                consequence=lambda lines: (
                    "this month's work goes on, whatever it costs; that can't be taken back"
                ),
            ),
        )
    }


def keep_warm(at: Engine, seconds: float) -> str:
    """Have a worker there for so long, though nothing waits. Raises ProofcastError."""
    at.ledger.keep_warm(at.clock() + seconds if seconds else 0.0)
    if not seconds:
        return "workers end again when nothing is left to do"
    return clean("; ".join(filter(None, (f"a worker stays for {span(seconds).text}", _dispatched(at)))))


@dataclass
class _Done:
    """What became of each, to be said in one sentence."""

    verb: str
    ids: list[str]
    troubles: list[str]

    def said(self, after: str = "") -> str:
        """Raises ProofcastError where nothing could be done."""
        if self.troubles and not self.ids:
            raise ProofcastError("; ".join(self.troubles[:_TOLD]))
        done = f"{self.verb}: {_some(self.ids)}" if self.ids else f"{self.verb}: none"
        return clean("; ".join(filter(None, (done, *self.troubles[:_TOLD], after))))


def _each(at: Engine, ids: Sequence[str], verb: str, move: Callable[[Episode], Episode]) -> str:
    done = _Done(verb, [], [])
    for id in dict.fromkeys(ids):
        try:
            episode = at.ledger.get(id)
            if episode is None:
                raise IllegalMove(f"{id} is no episode")
            done.ids.append(move(episode).id)
        except ProofcastError as error:
            done.troubles.append(f"{error}")
    return done.said(_dispatched(at) if done.ids else "")


def _retry(at: Engine, episode: Episode) -> Episode:
    return queueing.retry(at.ledger, at.queue, at.artifacts, at.clock, episode)


def _poll(at: Engine) -> str:
    from pipeline import polling

    feeds = [feed for feed in at.config.feed if feed.url]
    if not feeds:
        raise ConfigError("the config names no feed with a url", "'proofcast add' takes a file")
    with at.polling():
        results = polling.poll(feeds, at.fetch_feed, at.ledger, at.clock, lambda result: _relayed(at))
        at.tend()
    new, held = sum(result.new for result in results), sum(result.held for result in results)
    troubles = [f"{result.name}: {result.error}" for result in results if result.error]
    said = f"{len(feeds)} feeds, {new} new episodes" + (f", {held} held" if held else "")
    return clean("; ".join(filter(None, (said, *troubles[:_TOLD], _dispatched(at)))))


def _relayed(at: Engine) -> None:
    """Each feed's jobs go out as soon as it is recorded: what comes after may take its time."""
    relay(at.ledger, at.queue)


def _sync(at: Engine) -> str:
    done = _Done("reviews that ended", [], [])
    for episode in at.ledger.episodes(state=State.IN_REVIEW):
        try:
            synced = at.publisher.sync(Handle(at.ledger, episode))
        except ProofcastError as error:
            done.troubles.append(f"{episode.id}: {error}")
        else:
            if synced.state is not State.IN_REVIEW:
                done.ids.append(f"{episode.id} ({synced.state})")
    return done.said()


def _redrive(at: Engine) -> str:
    found, forgotten = queueing.given_up(at.ledger, at.queue)
    if not found:
        return (
            f"nothing was given up{f', {len(forgotten)} jobs of no episode forgotten' if forgotten else ''}"
        )
    return _each(at, [episode.id for episode in found], "queued", lambda episode: _retry(at, episode))


def _stop(at: Engine, ids: Sequence[str]) -> str:
    done = _Done("told to end", [], [])
    for worker in dict.fromkeys(_worker(at, id) for id in ids):
        try:
            at.fleet.stop(worker)
            done.ids.append(worker)
        except ProofcastError as error:
            done.troubles.append(f"{worker}: {error}")
    return done.said()


def _worker(at: Engine, id: str) -> str:
    """The one that has an episode, or that is meant itself."""
    episode = at.ledger.get(id)
    return episode.claim.worker if episode and episode.claim else id


def _start(at: Engine) -> str:
    if at.held():
        raise ConfigError("the month's budget is used up", "a worker would end at once: release the budget")
    at.fleet.survey()  # to be refused only where somebody starts workers at this moment
    market = at.config.aws.markets[0] if at.config.engine == "aws" and at.config.aws else None
    started = at.fleet.start(1, market)
    return (
        f"asked for: {_some([task.id for task in started])}" if started else "AWS refused it: Fleet says why"
    )


def _release_budget(at: Engine) -> str:
    from pipeline.dispatch import release_budget

    if at.config.aws is None or not at.config.aws.budget_usd:
        raise ConfigError("there is no budget to release", "budget_usd under [aws] sets one")
    month = release_budget(at.ledger, at.clock).month
    return clean("; ".join(filter(None, (f"{month}: work goes on, whatever it costs", _dispatched(at)))))


def _dispatched(at: Engine) -> str:
    """What the engine starts for it now. That it could not is no failure: the next poll tries again."""
    try:
        done = at.dispatch()
    except ProofcastError as error:
        return f"workers could not be started: {error}"
    if done is None:
        return ""
    return f"workers asked for: {len(done.started)}" if done.started else "; ".join(h.why for h in done.holds)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f"{', '.join(names[:_TOLD])}{more}"


def _of(sentence: str) -> Callable[[Sequence[Line]], str]:
    """A consequence that names what it is of."""
    return lambda lines: sentence.format(_some([line.episode or line.id for line in lines]) or "nothing")


def _stopped(lines: Sequence[Line]) -> str:
    lost = [line.lost for line in lines if line.lost]
    if not lost:
        return "nothing is lost: no work is in hand there"
    more = f"; and {len(lost) - _TOLD} more" if len(lost) > _TOLD else ""
    return f"{'; '.join(lost[:_TOLD])}{more}. That is done again."


def _started(at: Engine) -> str:
    if at.config.engine != "aws":
        return "a process on this machine, until nothing is left to do"
    return "an instance is paid for, a minute at least, until nothing is left to do"
