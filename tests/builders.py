"""Values with defaults, so that a test says only what matters to it; and a clock to set by hand."""

from __future__ import annotations

from typing import Any

from pipeline.model import (
    Change,
    Claim,
    Enclosure,
    Episode,
    Failure,
    FeedDocument,
    FeedItem,
    Job,
    Lease,
    Progress,
    Proposal,
    Review,
    Segment,
    Step,
    Transcript,
)

NOW = 1_780_000_000.0


class FakeClock:
    """Stands still until it is told to go on."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += seconds


def an_enclosure(name: str = "1") -> Enclosure:
    return Enclosure(url=f"https://cdn.example/{name}.mp3", type="audio/mpeg", length=5000)


def an_episode(id: str = "show-1", **fields: Any) -> Episode:
    facts: dict[str, Any] = {
        "feed": "show",
        "title": "One",
        "guid": id,
        "enclosure": an_enclosure(id),
        "discovered_at": NOW,
        "updated_at": NOW,
        **fields,
    }
    return Episode(id=id, **facts)


def a_claim(
    token: str = "t1", worker: str = "worker-1", since: float = NOW, until: float = NOW + 60
) -> Claim:
    return Claim(worker=worker, token=token, since=since, until=until)


def a_lease(episode_id: str = "show-1", token: str = "t1", until: float = NOW + 60) -> Lease:
    return Lease(job=Job(episode_id=episode_id), token=token, until=until, receives=1)


def a_failure(step: Step = Step.DOWNLOAD, reason: str = "no answer") -> Failure:
    return Failure(step=step, reason=reason, at=NOW)


def some_progress(done_s: float = 10.0) -> Progress:
    return Progress(done_s=done_s, total_s=60.0, speed=2.0, at=NOW)


def a_review(**fields: Any) -> Review:
    facts: dict[str, Any] = {
        "repository": "/srv/site",
        "branch": "transcript/show/1",
        "base": "main",
        "commit": "c" * 40,
        **fields,
    }
    return Review(**facts)


def a_change(episode: Episode | None = None, **fields: Any) -> Change:
    return Change(episode=episode or an_episode(), **fields)


def an_item(guid: str | None = "g1", **fields: Any) -> FeedItem:
    """A feed item with audio, one day of June 2026 for each number at the end of its guid."""
    number = int("".join(c for c in guid or "" if c.isdigit()) or 1)
    facts: dict[str, Any] = {
        "title": f"Episode {guid}",
        "published": NOW + number * 86_400,
        "enclosure": an_enclosure(guid or "none"),
        **fields,
    }
    return FeedItem(guid=guid, **facts)


def a_document(*items: FeedItem) -> FeedDocument:
    return FeedDocument(title="The Show", language="en", items=items)


def a_transcript(*texts: str, **fields: Any) -> Transcript:
    facts: dict[str, Any] = {
        "episode": {"id": "show-1", "title": "One"},
        "language": "en",
        "duration_s": 62.0,
        "model": {"name": "tiny.en"},
        "speakers": {"spk_0": "Ann"},
        "segments": tuple(
            Segment("spk_0", float(at), at + 1.0, text) for at, text in enumerate(texts or ("Hello there.",))
        ),
        **fields,
    }
    return Transcript(**facts)


def a_proposal(repository: str, **fields: Any) -> Proposal:
    facts: dict[str, Any] = {
        "base": "main",
        "branch": "transcript/show/001-one",
        "title": "Add transcript of episode 1: One",
        "body": "Please read.",
        "files": {"transcripts/one.md": "# One\n", "transcripts/one.json": "{}"},
        "at": NOW,
        "trailers": {"Episode-Key": "show-1"},
        **fields,
    }
    return Proposal(repository=repository, **facts)
