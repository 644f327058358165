"""From transcript to review, and from review back to the ledger. Every step can be run again."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pipeline import states
from pipeline.config import Config, Feed
from pipeline.errors import StorageError
from pipeline.formats import escape_markdown, read_transcript
from pipeline.handle import Handle
from pipeline.keys import key_of
from pipeline.layouts import layout_named, site_files, site_paths, slugify
from pipeline.model import Episode, Proposal, Review, ReviewState, State, Transcript
from pipeline.ports import ArtifactStore, Clock, CodeHost, Ledger
from pipeline.spoken import clock

_PAIRS = 20  #: corrections, suggestions and notes that the reviewer reads of
_WORTH_HEARING = 5  #: passages that the reviewer reads of first
_ENDED = (ReviewState.MERGED, ReviewState.CLOSED)


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """Opens reviews of transcripts and reads back what became of them."""

    config: Config
    ledger: Ledger
    artifacts: ArtifactStore
    code_host: CodeHost
    clock: Clock

    def publish(self, handle: Handle) -> Episode:
        """Propose the stored transcript to the show's site. Raises CodeHostError, StorageError.

        What was left half done is found again: the commit is in the ledger before its branch is made,
        so our own branch is never taken for a person's, nor a person's for ours.
        """
        known = self._known(handle.episode)
        if known:
            status = self.code_host.status(known)
            if status.review.state in _ENDED:
                return self._conclude(handle, status.review)
            if status.review.state is ReviewState.OPEN:
                return self._opened(handle, status.review)
            if status.head == known.commit:  # our branch, that nobody was asked to read yet
                proposal = replace(self._propose(handle.episode), branch=known.branch, base=known.base)
                return self._opened(handle, self.code_host.open(proposal, known.commit))
        proposal = self._propose(handle.episode)
        commit = self.code_host.commit(proposal)
        prepared = Review(
            repository=proposal.repository, branch=proposal.branch, base=proposal.base, commit=commit
        )
        handle.write(lambda episode: states.proposed(episode, prepared, self.clock()))
        return self._opened(handle, self.code_host.open(proposal, commit))

    def sync(self, handle: Handle) -> Episode:
        """Read an open review's state back: merged is published, closed is rejected."""
        known = self._known(handle.episode)
        if known and handle.episode.state is State.IN_REVIEW:
            review = self.code_host.status(known).review
            if review.state in _ENDED:
                return self._conclude(handle, review)
            if review != handle.episode.review:  # the repository is elsewhere now
                now = self.clock()
                handle.write(lambda episode: states.in_review(episode, review, episode.artifacts, now))
        return handle.episode

    def check(self, episode: Episode) -> None:
        """See that a transcript could be proposed, before hours go into making one. Raises ConfigError."""
        feed = self.config.feed_named(episode.feed)
        site_paths(layout_named(feed.layout, self.config.layout), _fields(episode))

    def _known(self, episode: Episode) -> Review | None:
        """The episode's review, in the repository as the config has it today."""
        if episode.review is None:
            return None
        feed = self.config.feed_named(episode.feed)
        return replace(episode.review, repository=self.config.repository_of(feed))

    def _conclude(self, handle: Handle, review: Review) -> Episode:
        now = self.clock()
        ended = replace(review, closed_at=now)
        return handle.write(lambda episode: states.concluded(episode, ended, now))

    def _opened(self, handle: Handle, review: Review) -> Episode:
        now = self.clock()
        key = key_of(handle.episode, "review.diff")
        self.artifacts.put(key, self.code_host.diff(review).encode())
        opened = replace(review, opened_at=now)
        return handle.write(
            lambda episode: states.in_review(episode, opened, {**episode.artifacts, "diff": key}, now)
        )

    def _propose(self, episode: Episode) -> Proposal:
        feed = self.config.feed_named(episode.feed)
        transcript = self._transcript(episode)
        layout = layout_named(feed.layout, self.config.layout)
        return Proposal(
            repository=self.config.repository_of(feed),
            base=feed.base,
            branch=f"transcript/{episode.feed}/{_slug(episode)}-{episode.id.rpartition('-')[2]}",
            title=title_of(episode),
            body=body_of(episode, feed, transcript),
            files=site_files(layout, transcript, _fields(episode), self.config.captions),
            at=_transcribed_at(self.ledger, episode),
            trailers={"Episode-Key": episode.id},
        )

    def _transcript(self, episode: Episode) -> Transcript:
        key = episode.artifacts.get("transcript", "")
        data = self.artifacts.get(key) if key else None
        if data is None:
            raise StorageError(f"the transcript of {episode.id} is gone from the data folder")
        return read_transcript(data)


def title_of(episode: Episode) -> str:
    """The commit's and the review's title: one line, whatever the feed's title holds."""
    number = f" {episode.number}" if episode.number is not None else ""
    printable = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in episode.title)
    title = " ".join(printable.split())[:80]
    return f"Add transcript of episode{number}: {title}"


def body_of(episode: Episode, feed: Feed, transcript: Transcript) -> str:
    """What the reviewer reads first."""
    words = sum(len(segment.text.split()) for segment in transcript.segments)
    model = transcript.model.get("name", "?")
    lines = [
        f"Transcript of **{escape_markdown(episode.title)}** ({feed.name}):",
        f"{clock(round(transcript.duration_s))} of audio, {words:,} words, by `{model}`.",
        *_told(transcript),
        "",
        "- [ ] names of people and products",
        "- [ ] numbers and code",
        "- [ ] where speakers change",
        "",
        "Correct the files on this branch as you would any other, then merge; closing it without merging",
        "leaves the episode without a transcript.",
    ]
    return "\n".join(lines)


def _told(transcript: Transcript) -> list[str]:
    """The quality report in short: how much is likely wrong, and what to listen to first."""
    quality = transcript.quality
    if "expected_wer" not in quality:
        return []
    lines = [f"About {100 * quality['expected_wer']:.1f}% of the words are expected to need correcting."]
    for number, passage in enumerate(quality["passages"][:_WORTH_HEARING]):
        lines += ["", "Worth hearing, the worst first:", ""] if not number else []
        said = escape_markdown(passage["text"])
        lines.append(f"- {clock(passage['start'])}, {escape_markdown(passage['detail'])}: {said}")
    return [*lines, *_corrections(transcript), *_notes(quality)]


def _corrections(transcript: Transcript) -> list[str]:
    """What was put right, which the files show without a trace, and what was not, which a person may."""
    of = {status: _pairs(transcript, status) for status in ("applied", "suggested")}
    lines: list[str] = []
    for status, heading in (("applied", "Put right already"), ("suggested", "Perhaps to put right")):
        shown = [f"{escape_markdown(wrong)} → {escape_markdown(right)}" for wrong, right in of[status]]
        more = f" and {len(shown) - _PAIRS} more" if len(shown) > _PAIRS else ""
        lines += ["", f"{heading}: {'; '.join(shown[:_PAIRS])}{more}."] if shown else []
    return lines


def _pairs(transcript: Transcript, status: str) -> list[tuple[str, str]]:
    found = [entry for entry in transcript.vocabulary_applied if entry.get("status") == status]
    return list(dict.fromkeys((str(entry["wrong"]), str(entry["right"])) for entry in found))


def _notes(quality: Mapping[str, Any]) -> list[str]:
    """What went wrong on the way."""
    notes: list[str] = quality.get("notes") or []
    return ["", *(f"- {escape_markdown(note)}" for note in notes[:_PAIRS])] if notes else []


def _fields(episode: Episode) -> dict[str, object]:
    """What a layout's templates may name."""
    return {
        "id": episode.id,
        "feed": episode.feed,
        "number": episode.number,
        "season": episode.season,
        "slug": _slug(episode),
    }


def _slug(episode: Episode) -> str:
    """The number, else the date, in front: titles come again."""
    first = ""
    if episode.number is not None:
        first = f"{episode.number:03}-"
    elif episode.published is not None:
        first = f"{datetime.fromtimestamp(episode.published, UTC):%Y-%m-%d}-"
    return first + slugify(episode.title)


def _transcribed_at(ledger: Ledger, episode: Episode) -> float:
    """When the transcript was stored: the commit's date, the same however often it is made."""
    times = [event.at for event in ledger.events(episode.id) if event.state is State.TRANSCRIBED]
    return times[0] if times else episode.updated_at
