"""The functions on AWS Lambda, called as Lambda calls them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from pipeline import lambdas, states
from pipeline.adapters.aws.inbox import REFUSED, InboxAudio
from pipeline.deployment import EVENT_SOURCE
from pipeline.dispatch import release_budget
from pipeline.errors import StorageError
from pipeline.formats import transcript_json
from pipeline.handle import Handle
from pipeline.model import BudgetState, Event, State
from pipeline.tariff import month_of
from pipeline.wiring import AwsEngine
from tests.builders import a_transcript
from tests.deployed_site import DeployedSite
from tests.fakes.github import FakeGitHub
from tests.web import serving_folder
from worker.run import Worked, work
from worker.watching import LogWatch

CONFIG = """
engine = "aws"
[aws]
region = "us-east-1"
name = "{name}"
linger_s = 1
budget_usd = 5
[[feed]]
name = "show"
url = "{address}/feed.xml"
backfill = "all"
repository = "https://github.com/ann/site"
[[feed]]
name = "dead"
url = "{address}/nothing.xml"
repository = "https://github.com/ann/site"
"""

FEED = """<rss version="2.0"><channel><title>Show</title>
<item><title>{number}. One</title><guid>{number}</guid>
<enclosure url="{base}/{number}.mp3" type="audio/mpeg"/></item>
</channel></rss>"""


@pytest.fixture
def feeds(tmp_path: Path) -> Generator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    with serving_folder(folder) as address:
        (folder / "feed.xml").write_text(FEED.format(base=address, number=1))
        yield address


@pytest.fixture
def at(
    deployed: DeployedSite, feeds: str, hub: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[AwsEngine]:
    """The functions' own engine, from the config in S3."""
    deployed.clock.go_on(time.time() - deployed.clock())
    config = CONFIG.format(name=deployed.names.name, address=feeds)
    s3 = deployed.clients.s3()
    s3.put_object(Bucket=deployed.made.bucket, Key="assets/config.toml", Body=config.encode())
    monkeypatch.setenv("PROOFCAST_CONFIG", f"s3://{deployed.made.bucket}/assets/config.toml")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lambdas.engine.cache_clear()
    opened = lambdas.engine()
    yield opened
    for name in {"_http", "code_host"} & vars(opened).keys():  # Lambda ends the process instead
        vars(opened)[name].close()
    lambdas.engine.cache_clear()


def dropped(site: DeployedSite, name: str) -> dict[str, Any]:
    """A file in the inbox, and the news of it."""
    site.clients.s3().put_object(Bucket=site.made.bucket, Key=f"inbox/{name}", Body=b"some audio")
    bucket = {"name": site.made.bucket}
    return {"source": "aws.s3", "detail": {"bucket": bucket, "object": {"key": f"inbox/{name}"}}}


def objects(site: DeployedSite, prefix: str) -> list[str]:
    found = site.clients.s3().list_objects_v2(Bucket=site.made.bucket, Prefix=prefix)
    return [each.get("Key", "") for each in found.get("Contents", [])]


def test_a_turn_of_the_clock_polls_queues_and_starts_a_worker(at: AwsEngine, deployed: DeployedSite) -> None:
    done = lambdas.handle({"do": "poll"})["done"]
    assert [(feed["name"], feed["queued"], feed["error"] is None) for feed in done] == [
        ("show", 1, True),
        ("dead", 0, False),
    ]
    assert at.ledger.counts() == {State.QUEUED: 1}
    assert at.queue.depth().waiting == 1
    assert len(at.fleet.tasks()) == 1
    lambdas.handle({"do": "poll"})
    assert at.queue.depth().waiting == 1
    assert len(at.fleet.tasks()) == 1


def test_a_poll_beside_another_leaves_at_once(at: AwsEngine) -> None:
    with at.polling():
        assert lambdas.handle({"do": "poll"}) == {"done": []}
    assert at.ledger.counts() == {}


def test_a_poller_that_was_killed_keeps_others_out_for_minutes_only(
    at: AwsEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = at.polling()
    killed.__enter__()
    assert lambdas.handle({"do": "poll"}) == {"done": []}
    clock = at.clock
    monkeypatch.setattr(at, "clock", lambda: clock() + 301)
    assert len(lambdas.handle({"do": "poll"})["done"]) == 2
    killed.__exit__(None, None, None)


def test_a_turn_of_the_clock_frees_the_job_of_a_worker_that_was_killed(
    at: AwsEngine, deployed: DeployedSite
) -> None:
    lambdas.poll(at)
    (task,) = at.fleet.start(1)
    lease = at.queue.lease(600)
    (episode,) = at.ledger.episodes()
    assert lease
    at.ledger.record([states.claimed(episode, task.id, lease, at.clock())])
    lambdas.handle({"do": "dispatch"})
    assert at.ledger.counts() == {State.TRANSCRIBING: 1}
    deployed.clock.go_on(300)
    deployed.account.ecs.end(task.id, exit_code=137)
    deployed.clock.go_on(60)
    lambdas.handle({"do": "dispatch"})
    assert at.ledger.counts() == {State.QUEUED: 1}
    assert at.queue.lease(60)


def test_a_turn_of_the_clock_bills_what_ended(
    at: AwsEngine, deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at, "clock", deployed.clock)
    lambdas.handle({"do": "poll"})
    (task,) = at.fleet.tasks()
    deployed.clock.go_on(300)
    lambdas.handle({"do": "dispatch"})
    deployed.account.ecs.end(task.id, exit_code=0)
    for _ in range(5):
        deployed.clock.go_on(200)
        lambdas.handle({"do": "dispatch"})
    (bill, *_) = at.ledger.bills()
    assert bill.usd > 0
    now = at.spending()
    assert now
    assert now.spent_usd > bill.usd  # and what stands there all the time


def test_a_bill_that_can_not_be_made_keeps_nothing_else_from_being_done(
    at: AwsEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> None:
        raise StorageError("no bills today")

    monkeypatch.setattr(at, "settle", failing)
    assert lambdas.handle({"do": "dispatch"}) == {"done": None}


def test_workers_take_nothing_more_when_the_budget_is_used_up(at: AwsEngine) -> None:
    lambdas.poll(at)
    open_ = BudgetState(month=month_of(at.clock()))
    at.ledger.keep_budget(replace(open_, held="it is spent", held_at=at.clock()), open_)
    (hold,) = at.status().holds
    assert hold.why == "it is spent"
    worked = work(at, never, task_id="w-1", drain=True, watch=LogWatch())
    assert worked == Worked(well=True, jobs=0, told_to_end=True)
    assert at.ledger.counts() == {State.QUEUED: 1}
    release_budget(at.ledger, at.clock)
    assert not at.held()
    assert at.status().holds == []


def never(*_: object, **__: object) -> NoReturn:
    raise AssertionError("there was nothing to transcribe")


def test_merged_reviews_are_noticed(at: AwsEngine, hub: FakeGitHub) -> None:
    assert lambdas.handle({"do": "sync"}) == {"done": []}
    lambdas.poll(at)
    (episode,) = at.ledger.episodes()
    at.artifacts.put("show/one/transcript.json", transcript_json(a_transcript()).encode())
    lease = at.queue.lease(600)
    assert lease
    claimed = states.claimed(episode, "worker-1", lease, at.clock())
    made = states.transcribed(claimed.episode, {"transcript": "show/one/transcript.json"}, 62.0, at.clock())
    at.ledger.record([claimed, made])
    at.publisher.publish(Handle(at.ledger, made.episode))
    assert lambdas.handle({"do": "sync"}) == {"done": []}
    hub.site.squash(hub.site.pulls[0].branch)
    assert lambdas.handle({"do": "sync"}) == {"done": [episode.id]}
    assert at.ledger.counts() == {State.PUBLISHED: 1}


def test_a_file_in_the_inbox_is_an_episode(at: AwsEngine, deployed: DeployedSite) -> None:
    news = dropped(deployed, "show/12. The Guest + a cat%20.mp3")
    episode_id = lambdas.handle(news)["done"]
    episode = at.ledger.get(episode_id)
    assert episode
    assert (episode.state, episode.number, episode.title) == (State.QUEUED, 12, "12. The Guest + a cat%20")
    assert at.artifacts.get(episode.artifacts["audio"]) == b"some audio"
    assert objects(deployed, "inbox/") == []
    assert at.queue.depth().waiting == 1
    assert len(at.fleet.tasks()) == 1
    assert lambdas.handle(news)["done"] is None
    assert at.ledger.counts() == {State.QUEUED: 1}


def test_the_same_audio_again_is_the_same_episode(at: AwsEngine, deployed: DeployedSite) -> None:
    first = lambdas.handle(dropped(deployed, "show/12. The Guest.mp3"))["done"]
    assert lambdas.handle(dropped(deployed, "show/guest-final.mp3"))["done"] == first
    assert at.ledger.counts() == {State.QUEUED: 1}
    assert objects(deployed, "inbox/") == []


@pytest.mark.parametrize("name", ["shwo/one.mp3", "one.mp3", "show/deep/one.mp3"])
def test_what_belongs_to_no_show_is_refused_where_it_was_put(
    at: AwsEngine, deployed: DeployedSite, name: str
) -> None:
    assert lambdas.handle(dropped(deployed, name))["done"] is None
    assert objects(deployed, "inbox/") == [f"inbox/{name}"]
    (told,) = objects(deployed, REFUSED)
    assert told == f"{REFUSED}/{name}.txt"
    assert at.ledger.counts() == {}


def test_a_file_whose_news_was_lost_is_found_by_the_next_poll(at: AwsEngine, deployed: DeployedSite) -> None:
    dropped(deployed, "show/12. The Guest.mp3")
    lambdas.handle(dropped(deployed, "nobody/13.mp3"))
    told: dict[str, Any] = {"Bucket": deployed.made.bucket, "Key": f"{REFUSED}/nobody/13.mp3.txt"}
    deployed.clients.s3().put_object(**told, Body=b"read by a person")
    lambdas.handle({"do": "poll"})
    assert objects(deployed, "inbox/") == ["inbox/nobody/13.mp3"]
    assert at.ledger.counts() == {State.QUEUED: 2}
    assert deployed.clients.s3().get_object(**told)["Body"].read() == b"read by a person"


def test_a_file_that_can_not_be_read_keeps_no_show_from_being_polled(
    at: AwsEngine, deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(audio: InboxAudio) -> str:
        raise StorageError("somebody else's key")

    dropped(deployed, "show/12. The Guest.mp3")
    monkeypatch.setattr(InboxAudio, "sha256", broken)
    assert len(lambdas.handle({"do": "poll"})["done"]) == 2
    assert at.ledger.counts() == {State.QUEUED: 1}
    monkeypatch.undo()


def test_a_file_that_is_too_large_is_refused(
    at: AwsEngine, deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = msgspec.structs.replace(at.config.worker, max_download_mb=0)
    monkeypatch.setattr(at, "config", msgspec.structs.replace(at.config, worker=small))
    assert lambdas.handle(dropped(deployed, "show/12. The Guest.mp3"))["done"] is None
    assert objects(deployed, REFUSED) == [f"{REFUSED}/show/12. The Guest.mp3.txt"]


def test_a_large_file_is_tagged_as_audio_too(at: AwsEngine, deployed: DeployedSite) -> None:
    news = dropped(deployed, "show/12. The Guest.mp3")
    large = b"some audio" * 1_000_000
    bucket, s3 = deployed.made.bucket, deployed.clients.s3()
    s3.put_object(Bucket=bucket, Key="inbox/show/12. The Guest.mp3", Body=large)
    episode = at.ledger.get(lambdas.handle(news)["done"])
    assert episode
    key = f"artifacts/{episode.artifacts['audio']}"
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == [{"Key": "kind", "Value": "audio"}]
    assert at.artifacts.get(episode.artifacts["audio"]) == large


def record(episode_id: str, line: Event) -> dict[str, Any]:
    """A record of the table's stream."""
    doc = msgspec.json.encode(line).decode()
    image = {"pk": {"S": f"event#{episode_id}"}, "sk": {"S": f"{line.version:09}"}, "doc": {"S": doc}}
    return {"dynamodb": {"NewImage": image}}


@pytest.fixture
def told(at: AwsEngine, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What EventBridge was told."""
    entries: list[dict[str, Any]] = []
    put: Callable[..., Any] = at.clients.events().put_events

    def keep(Entries: list[dict[str, Any]]) -> Any:
        answer = put(Entries=Entries)
        entries.extend(Entries)
        return answer

    monkeypatch.setattr(at.clients.events(), "put_events", keep)
    return entries


def test_every_change_of_state_is_told_and_nothing_else(at: AwsEngine, told: list[dict[str, Any]]) -> None:
    lambdas.poll(at)
    (episode,) = at.ledger.episodes()
    records = [record(episode.id, line) for line in at.ledger.events(episode.id)]
    again = Event(at=1.0, version=3, state=State.QUEUED, detail="changed in the feed")
    lambdas.announce({"Records": [*records, record(episode.id, again)]})
    details = [msgspec.json.decode(entry["Detail"]) for entry in told]
    assert [(detail["before"], detail["state"]) for detail in details] == [
        (None, "discovered"),
        ("discovered", "queued"),
    ]
    assert {(detail["episode"], detail["deployment"]) for detail in details} == {(episode.id, at.names.name)}
    assert {entry["Source"] for entry in told} == {EVENT_SOURCE}


def test_an_event_that_was_not_taken_is_told_again_by_lambda(
    at: AwsEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(Entries: list[dict[str, Any]]) -> dict[str, int]:
        return {"FailedEntryCount": len(Entries)}

    monkeypatch.setattr(at.clients.events(), "put_events", refuse)
    line = Event(at=1.0, version=1, state=State.DISCOVERED)
    with pytest.raises(StorageError):
        lambdas.announce({"Records": [record("show-1", line)]})
