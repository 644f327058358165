"""What runs on AWS Lambda: the poller, by the clock and when a file arrives, and the announcer.

The config is the object in S3 that PROOFCAST_CONFIG names, put there by `proofcast deploy`.
"""

from __future__ import annotations

import logging
import os
import random
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline import adding, polling
from pipeline.adapters.aws.errors import explained
from pipeline.adapters.aws.inbox import found, waiting
from pipeline.adapters.aws.s3 import S3Store
from pipeline.config import Feed
from pipeline.deployment import CONFIG_VARIABLE, EVENT_SOURCE, EVENT_TYPE, INBOX
from pipeline.dispatch import Dispatched
from pipeline.errors import Busy, ConfigError, ProofcastError, StorageError
from pipeline.feeds import numbers_in
from pipeline.handle import Handle
from pipeline.model import Event, FeedItem, State
from pipeline.polling import FeedResult
from pipeline.queueing import relay, renew_lost, renew_old
from pipeline.wiring import AwsEngine, open_engine

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

log = logging.getLogger("proofcast.poller")
log.setLevel(logging.INFO)

_TURN_S = 200.0  #: of the five minutes that a turn may take
_EVENTS_A_CALL = 10  #: EventBridge's limit


def handle(event: dict[str, Any], context: object = None) -> dict[str, Any]:
    """The poller: `{"do": "poll" | "dispatch" | "sync"}` from the clock, or news of a file in the inbox.

    What fails is in the ledger and in the log, and the next turn tries again. It raises only where
    nothing at all could be done, so that an alarm on errors means something.
    """
    at = engine()
    if event.get("source") == "aws.s3":
        done: Any = take_in(at, event["detail"]["object"]["key"])  # as it is: EventBridge encodes nothing
    else:
        done = {"poll": poll, "dispatch": _nothing, "sync": sync}[event["do"]](at)
    if event.get("do") != "sync":
        at.tend()
        renew_lost(at.ledger, at.queue, at.clock)
        done_here = at.dispatch() if at.policy else at.fleet.survey()  # an ECS service starts them
        warned = isinstance(done_here, Dispatched) and done_here.warning
        level = logging.WARNING if warned else logging.INFO
        log.log(level, "dispatch: %s", msgspec.json.encode(done_here).decode())
        settle(at)
    return {"done": msgspec.to_builtins(done)}


def settle(at: AwsEngine) -> None:
    """Bills can wait: that one could not be made must not keep jobs from their workers."""
    try:
        settled = at.settle()
    except ProofcastError as error:
        log.warning("bills: %s", error)
        return
    if settled and (settled.bills or settled.unpriced):
        log.info("bills: %s", msgspec.json.encode(settled).decode())


@cache
def engine() -> AwsEngine:
    """One for as long as this process is kept."""
    at = open_engine(os.environ.get(CONFIG_VARIABLE, ""))
    assert isinstance(at, AwsEngine)
    return at


def _nothing(at: AwsEngine) -> None:
    """What comes after every turn is all that is wanted."""


def poll(at: AwsEngine) -> list[FeedResult]:
    """Every feed, once, and what the inbox still holds."""

    def report(result: FeedResult) -> None:
        relay(at.ledger, at.queue)
        if result.error or result.new or result.held:
            log.log(
                logging.WARNING if result.error else logging.INFO, "%s", msgspec.json.encode(result).decode()
            )

    # Those that were not asked for the longest come first: a poll that runs out of time starves none.
    polled = {feed.name: at.ledger.feed(feed.name).polled_at or 0.0 for feed in at.config.feed}
    feeds = sorted((feed for feed in at.config.feed if feed.url), key=lambda feed: polled[feed.name])
    results: list[FeedResult] = []
    try:
        with at.polling():
            deadline = at.clock() + _TURN_S
            for feed in feeds:
                if at.clock() > deadline:
                    break  # those that are left come first next time
                results += polling.poll([feed], at.fetch_feed, at.ledger, at.clock, report)
    except Busy as busy:
        log.info("%s", busy)
        return []
    for key in waiting(at.clients.s3(), at.bucket):  # whose news was lost
        try:
            take_in(at, key)
        except ProofcastError as error:
            log.warning("%s: %s", key, error)
    return results


def sync(at: AwsEngine) -> list[str]:
    """The state of every open review; those that ended. And jobs that have waited for long are sent anew."""
    renew_old(at.ledger, at.queue, at.clock)
    ended: list[str] = []
    reviews = at.ledger.episodes(state=State.IN_REVIEW)
    random.shuffle(reviews)  # where there are more than one turn gets through, each has its turn
    deadline = at.clock() + _TURN_S
    for episode in reviews:
        if at.clock() > deadline:
            break
        try:
            if at.publisher.sync(Handle(at.ledger, episode)).state is not State.IN_REVIEW:
                ended.append(episode.id)
        except ProofcastError as error:
            log.warning("%s: %s", episode.id, error)
    return ended


def take_in(at: AwsEngine, key: str) -> str | None:
    """Queue a file of the inbox, `inbox/FEED/NAME`; the episode's id, or None where it was refused."""
    artifacts = at.artifacts
    assert isinstance(artifacts, S3Store)
    audio = found(at.clients.s3(), at.bucket, key, artifacts)
    if key.endswith("/") or audio is None:
        return None
    try:
        if audio.size > at.config.worker.max_download_mb * 1_000_000:
            raise ConfigError(
                f"'{audio.name}' is larger than {at.config.worker.max_download_mb} MB",
                "raise max_download_mb under [worker], or put in a smaller file",
            )
        title = Path(audio.name).stem
        item = FeedItem(title=title, number=numbers_in(title)[1])
        episode, _ = adding.add(audio, _feed_of(at, key), item, at.ledger, at.clock)
    except ConfigError as error:
        log.warning("%s: %s", key, error)
        audio.refuse(str(error))
        return None
    relay(at.ledger, at.queue)
    audio.taken()
    return episode.id


def _feed_of(at: AwsEngine, key: str) -> Feed:
    """Raises ConfigError."""
    parts = key.split("/")
    if len(parts) != 3:
        raise ConfigError(f"'{key}' is in no show's folder", f"put it in {INBOX}/FEED/")
    return at.config.feed_named(parts[1])


def announce(event: dict[str, Any], context: object = None) -> None:
    """The announcer: new lines of histories, from the table's stream, as events for anybody.

    Only where the state changed. Raises StorageError where EventBridge did not take one: Lambda then
    brings the same records again, so that an event may come twice, and none is lost.
    """
    at = engine()
    entries: list[PutEventsRequestEntryTypeDef] = [
        {
            "Source": EVENT_SOURCE,
            "DetailType": EVENT_TYPE,
            "Detail": msgspec.json.encode({"deployment": at.names.name, **moved}).decode(),
        }
        for record in event["Records"]
        if (moved := _moved(at, record["dynamodb"]["NewImage"]))
    ]
    for start in range(0, len(entries), _EVENTS_A_CALL):
        with explained("EventBridge"):
            answer = at.clients.events().put_events(Entries=entries[start : start + _EVENTS_A_CALL])
        if answer["FailedEntryCount"]:
            raise StorageError(f"EventBridge did not take {answer['FailedEntryCount']} events")


def _moved(at: AwsEngine, image: dict[str, Any]) -> dict[str, Any] | None:
    """What is told of a line that changed the state."""
    line = msgspec.json.decode(image["doc"]["S"], type=Event)
    episode_id = image["pk"]["S"].partition("#")[2]
    before = [each.state for each in at.ledger.events(episode_id) if each.version < line.version]
    if before[-1:] == [line.state]:
        return None
    return {"episode": episode_id, "before": before[-1] if before else None, **msgspec.to_builtins(line)}
