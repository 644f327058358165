"""Reviews that wait for people, and where their transcripts are in doubt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pipeline.errors import StorageError
from pipeline.model import Episode, State, Transcript
from tui.ports import Engine
from tui.sources.reading import Reading
from tui.sources.said import length, named, review_name, span, web
from tui.values import Column, Line, Tone, clean
from tui.words import many

COLUMNS = (
    Column(key="pr", title="PR", width=12),
    Column(key="episode", title="EPISODE", width=24, grows=True),
    Column(key="doubts", title="DOUBTS", width=6, right=True),
    Column(key="unnamed", title="UNNAMED", width=7, right=True, drop=2),
    Column(key="words", title="WORDS", width=7, right=True, drop=3),
    Column(key="dur", title="DUR", width=6, right=True, drop=4),
    Column(key="age", title="AGE", width=4, right=True),
    Column(key="show", title="SHOW", width=12, drop=5),
    Column(key="branch", title="BRANCH", width=24, drop=6),
)

_DOUBT = 0.5  #: a word that the decoder thought less likely than this
_UNNAMED = re.compile(r"(spk_|speaker ?)\d*", re.IGNORECASE)
_A_READING = 3  #: transcripts: that of three hours takes a tenth of a second


@dataclass(frozen=True, kw_only=True)
class Doubts:
    """What a reviewer has before them; None where that is not known."""

    words: int | None = None
    doubtful: int | None = None
    unnamed: int | None = None
    trouble: str = ""


class ReviewsSource(Reading):
    """Each transcript is read once; the first readings find a few each."""

    name = "reviews"
    every_s: ClassVar[tuple[float, float]] = (10.0, 60.0)

    def __init__(self, at: Engine) -> None:
        super().__init__(at)
        self.columns = COLUMNS
        self._known: dict[tuple[str, str], Doubts] = {}
        self._unread = False

    @property
    def interval_s(self) -> float:
        """Soon, while there are transcripts to read."""
        return 0.2 if self._unread else super().interval_s

    def look(self, now: float) -> tuple[Sequence[Line], Mapping[str, Any]]:
        """Those that wait the longest last, as ledgers have them."""
        episodes = self.at.ledger.episodes(state=State.IN_REVIEW)
        unread = [each for each in episodes if _key(each) not in self._known]
        if self._version:  # the first reading shows at once what there is
            for episode in unread[:_A_READING]:
                self._known[_key(episode)] = self._doubts(episode)
            unread = unread[_A_READING:]
        self._unread = bool(unread)
        lines = [_line(each, self._known.get(_key(each), Doubts()), now) for each in episodes]
        return lines, {"open": len(lines), "unread": len(unread)}

    def _doubts(self, episode: Episode) -> Doubts:
        from pipeline.formats import read_transcript

        data = self.at.artifacts.get(episode.artifacts.get("transcript", "none"))
        if data is None:
            return Doubts(trouble="its transcript is gone from the store")
        try:
            return doubts_of(read_transcript(data))
        except StorageError as error:
            return Doubts(trouble=f"{error}")


def _key(episode: Episode) -> tuple[str, str]:
    """Another review is of another transcript."""
    return episode.id, episode.review.commit if episode.review else ""


def doubts_of(transcript: Transcript) -> Doubts:
    """Words in doubt, and speakers that nobody named."""
    words = [word for segment in transcript.segments for word in segment.words]
    speakers = {segment.speaker for segment in transcript.segments}
    names = [transcript.speakers.get(speaker, "") or speaker for speaker in speakers]
    return Doubts(
        words=len(words),
        doubtful=sum(word.probability < _DOUBT for word in words),
        unnamed=sum(bool(_UNNAMED.fullmatch(name)) for name in names),
    )


def _line(episode: Episode, doubts: Doubts, now: float) -> Line:
    review = episode.review
    waits = span(now - (review.opened_at if review and review.opened_at else episode.updated_at))
    pr, branch = review_name(review), clean(review.branch) if review else ""
    counts = (doubts.doubtful, doubts.unnamed, doubts.words)
    name = named(episode)
    return Line(
        id=episode.id,
        cells=(
            *(pr, name),
            *("" if count is None else f"{count:,}" for count in counts),
            *(length(episode.duration_s), waits.text, episode.feed, branch),
        ),
        values=(pr, name, *counts, episode.duration_s, waits.seconds, episode.feed, branch),
        tone=Tone.WARN if doubts.trouble else Tone.PLAIN,
        why=clean(doubts.trouble or _why(doubts, review.repository if review else "")),
        url=web(review and review.url),
        episode=episode.id,
        task=episode.id,
    )


def _why(doubts: Doubts, repository: str) -> str:
    where = f"in {repository}" if repository else ""
    if doubts.words is None:
        return f"{where}: its transcript is being read"
    unnamed = f", {many(doubts.unnamed, 'speaker')} without a name" if doubts.unnamed else ""
    return f"{where}: {doubts.doubtful} of {doubts.words:,} words are doubtful{unnamed}"
