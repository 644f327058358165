"""What is known of a show and an episode reaches whoever needs it, and no further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.model import Word
from pipeline.vocabulary import Vocabulary
from tests.hearing import scribe
from tests.speaking import said, segment, voiced
from worker import transcribing
from worker.diarizing import Diarization, Turn
from worker.heard import Heard
from worker.hearing import AudioFile, Part
from worker.profiles import SURE
from worker.transcribing import Made, Show
from worker.voices import to_bytes

TURNS = [(0.0, 180.0, 0), (181.0, 186.0, 1), (187.0, 367.0, 0)]


@pytest.fixture
def conversation(monkeypatch: pytest.MonkeyPatch) -> list[Word]:
    """Words that a recogniser would hear in `TURNS`."""
    words: list[Word] = []

    def listened(source: object, ears: object) -> list[Part]:
        heard = Heard(0.0, 367.0, "en", (segment(words),), tuple((a, b) for a, b, _ in TURNS))
        return [Part("", heard, to_bytes(voiced(TURNS)))]

    def turns_of(*given: object) -> Diarization:
        return Diarization(tuple(Turn(a, b, f"spk_{who}") for a, b, who in TURNS), {}, {})

    monkeypatch.setattr(transcribing, "listened", listened)
    monkeypatch.setattr(transcribing, "turns_of", turns_of)
    return words


def made(title: str, show: Show, people: Sequence[str] = ()) -> Made:
    source = AudioFile(Path("none.mp3"), title, lambda done, of, speed: None)
    source.episode = replace(source.episode, people=tuple(people))
    return scribe(hints=False).transcript(source, show)


def test_as_many_speakers_as_the_show_has_at_least(conversation: list[Word]) -> None:
    conversation += [*said("word " * 599), *said("Is that you?", 182), *said("word " * 599, 187)]
    assert len(made("One", Show()).transcript.speakers) == 1
    assert len(made("One", Show(fewest=2)).transcript.speakers) == 2


def test_only_people_who_are_known_teach_the_vocabulary(conversation: list[Word]) -> None:
    conversation += said("Then we use the luchiano for all of it. " * 20)

    def text(people: Sequence[str]) -> str:
        transcript = made("Talk with Jane Luciano", Show(), people).transcript
        return " ".join(each.text for each in transcript.segments)

    assert "Luciano" not in text([])
    assert "Luciano" in text(["Jane Luciano"])


def test_who_is_named_in_the_title_is_no_term_and_not_sure(conversation: list[Word]) -> None:
    conversation += said("Hello. I'm Jane Lambda. I say a lot of things here. " * 10)
    (jane,) = made("Talk with Jane Lambda", Show()).names.values()
    assert jane.text == "Jane Lambda"
    assert jane.sure < SURE
    (jane,) = made("Talk with Jane Lambda", Show(), ["Jane Lambda"]).names.values()
    assert jane.sure > SURE
    (step,) = made("Talk with Step Lambda", Show(vocabulary=Vocabulary(("Lambda",)))).names.values()
    assert step.text == "Jane Lambda"
