"""What speakers are called: by their voices, by what is said of them, or by a number."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StorageError
from pipeline.model import Segment
from tests.speaking import heard, said, sample, segment, spoken, truth, voice
from worker.assigning import assigned
from worker.diarizing import Diarization, turns_of
from worker.naming import Name, named
from worker.persons import matched, merged, people_in
from worker.profiles import LEARNT_S, SURE, Profile, learnt, profiles_from_bytes, profiles_to_bytes

NOBODY = Diarization((), {}, {})
HOSTS = ["Eoin", "Luciano"]


def talk(*lines: tuple[int, str]) -> list[Segment]:
    """Lines by speaker, four seconds each."""
    return [segment(said(text, 4.0 * at), f"spk_{who}") for at, (who, text) in enumerate(lines)]


def called(
    segments: Sequence[Segment], known: Sequence[str] = (), people: Sequence[str] = ()
) -> dict[str, str]:
    return {label: name.text for label, name in named(segments, NOBODY, known, people).items()}


@pytest.mark.parametrize("number", [1, 2])
def test_the_sample_shows_hosts_are_named(number: int) -> None:
    known = truth(sample(number))
    diarization = turns_of([heard(number)])
    segments = assigned(spoken(known), diarization.turns)
    names = named(segments, diarization, ["Otis", "Maren"])
    first = known.turns[0].speaker
    assert {label: name.text for label, name in names.items()} == {
        "spk_0": first,
        "spk_1": "Otis" if first == "Maren" else "Maren",
    }


def test_voices_learnt_in_one_episode_name_the_hosts_of_the_next() -> None:
    before, after = turns_of([heard(2)]), turns_of([heard(1)])  # in the first, one speaks too little
    names = {"spk_0": Name("Otis", "introduction", 0.95), "spk_1": Name("Maren", "introduction", 0.85)}
    profiles = profiles_from_bytes(profiles_to_bytes(learnt({}, before, names)))
    assert sorted(profiles) == ["Maren", "Otis"]
    found = named(talk((0, "Good morning."), (1, "And to you.")), after, [], [], profiles)
    assert [name.text for name in found.values()] == ["Maren", "Otis"]
    assert {name.how for name in found.values()} == {"voice"}
    assert all(name.sure > 0.9 for name in found.values())


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Hello, I'm Luciano.", "Luciano"),
        ("Hello. My name is Luciano, and this is a show.", "Luciano"),
        ("My name\u2019s Luciano Mammino.", "Luciano"),
        ("this is luciano and you are listening", "Luciano"),
        ("I'm Luchiano.", "Luciano"),
        ("I am Owen and with me is nobody.", "Eoin"),
        ("I'm happy to be here.", "Speaker 1"),
        ("I'm in Dublin. This is Dublin.", "Speaker 1"),
        ("I'm Irish, and I am AWS certified.", "Speaker 1"),
        ("I'm Python Developer of the year", "Speaker 1"),
        ("I'm Anna, hello.", "Anna"),
        ("I'm Anna Maria O'Neill, hello.", "Anna Maria O'Neill"),
        ("I'm Anna. No, I'm Berta.", "Speaker 1"),
        ("I'm Anna. And then: my name is Anna O'Neill.", "Anna O'Neill"),
        ("My name is Anna O'Neill. I'm Anna.", "Anna O'Neill"),
        ("I'm Anna O'Neill. No, I'm Anna Smith.", "Speaker 1"),
        ("I'm Dr. Anna O'Neill, hello.", "Anna O'Neill"),
        ("I'm Prof. Luciano Mammino.", "Luciano"),
        ("I'm Eoin, and this is Luciano.", "Eoin"),
        ("This is Luciano. I'm Eoin.", "Eoin"),
        ("Hello, and this is Luciano.", "Speaker 1"),
        ("This is Luciano, my co-host.", "Speaker 1"),
        ("This is Luciano who knows it all.", "Speaker 1"),
        ("This is Anna.", "Speaker 1"),
        ("This is Luciano's idea.", "Speaker 1"),
    ],
)
def test_who_says_who_they_are(line: str, name: str) -> None:
    assert called(talk((0, line), (1, "Hm.")), HOSTS)["spk_0"] == name


def test_who_says_this_is_somebody_is_never_surely_that() -> None:
    lines = talk((0, "This is Luciano."), (1, "Hm."), (0, "As I said, this is Luciano."))
    found = named(lines, NOBODY, HOSTS)["spk_0"]
    assert (found.text, found.how) == ("Luciano", "introduction")
    assert found.sure < SURE


def test_hosts_who_present_each_other_keep_their_names() -> None:
    lines = talk((0, "I'm Eoin, and this is Luciano."), (1, "I'm Luciano. And this is Eoin."))
    assert called(lines, HOSTS) == {"spk_0": "Eoin", "spk_1": "Luciano"}


def test_a_title_before_a_name_tells_nobody() -> None:
    lines = talk((0, "I'm Dr. Smith."), (1, "I'm Jane Doe."))
    assert called(lines, ["Dr. Jane Doe"])["spk_1"] == "Dr. Jane Doe"
    assert called(lines[:1], ["Dr. Jane Doe"])["spk_0"] != "Dr. Jane Doe"


def test_two_of_one_first_name_are_two() -> None:
    lines = talk((0, "I'm Jane."), (1, "And I'm Jane Doe."))
    assert called(lines) == {"spk_0": "Jane", "spk_1": "Jane Doe"}


def test_a_short_name_is_the_guest_whom_others_named_in_full() -> None:
    lines = talk((0, "I'm joined by Jane Doe."), (1, "I'm Jane."))
    found = named(lines, NOBODY, [], titled=["Jane Doe"])
    assert found["spk_1"].text == "Jane Doe"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("I'm Jane Doe.", "Jane Doe"),
        ("My name is Jane Dow and I'm Jane Doe.", "Jane Doe"),
        ("I am Event certified.", "Speaker 1"),
        ("This is Event.", "Speaker 1"),
        ("This is Jane Doe.", "Speaker 1"),
    ],
)
def test_who_is_only_in_the_title_must_say_the_full_name(line: str, name: str) -> None:
    titled = ["Jane Doe", "Event Bridge"]
    found = named(talk((0, line), (1, "Hm.")), NOBODY, HOSTS, titled=titled)["spk_0"]
    assert found.text == name
    assert found.sure < SURE


def test_who_is_only_in_the_title_is_not_sure_whatever_is_said() -> None:
    lines = talk((0, "Hello, Jane."), (1, "I'm Jane Doe."), (0, "Thanks, Jane."), (1, "I'm Jane Doe."))
    found = named(lines, NOBODY, HOSTS, titled=["Jane Doe"])["spk_1"]
    assert (found.text, found.sure < SURE) == ("Jane Doe", True)
    assert named(lines, NOBODY, HOSTS, ["Jane Doe"], titled=["Jane Doe"])["spk_1"].sure > SURE


@pytest.mark.parametrize(
    "line",
    [
        "And I'm joined by Luciano.",
        "I'm joined today by Luciano, who knows it all.",
        "Hello Luciano!",
        "Hi, Luciano. How are you?",
        "That was great. Thanks, Luciano.",
        "Thank you so much, Luciano.",
        "What do you think, Luciano?",
        "With me is my co-host Luciano.",
    ],
)
def test_of_two_the_one_spoken_to_is_the_other(line: str) -> None:
    found = named(talk((0, line), (1, "Hm.")), NOBODY, HOSTS)
    assert (found["spk_1"].text, found["spk_1"].how) == ("Luciano", "address")
    assert found["spk_0"].text == "Speaker 1"


def test_of_several_they_are_named_in_the_order_they_speak() -> None:
    lines = talk(
        (0, "I am Owen and with me are Luciano and our guest, Efuh."),
        (1, "Hi everybody."),
        (2, "Thank you for having me."),
        (0, "Thanks."),
    )
    assert called(lines, HOSTS, ["Aoife Byrne"]) == {
        "spk_0": "Eoin",
        "spk_1": "Luciano",
        "spk_2": "Aoife Byrne",
    }
    assert called(lines, HOSTS) == {"spk_0": "Eoin", "spk_1": "Luciano", "spk_2": "Speaker 3"}


def test_a_name_from_the_text_alone_is_only_taken_from_its_owner() -> None:
    lines = talk((0, "I'm joined by Jane Doe."), (1, "Hello. Thanks, Ilse."))
    assert called(lines) == {"spk_0": "Speaker 1", "spk_1": "Speaker 2"}
    assert called(lines, people=["Jane Doe"]) == {"spk_0": "Speaker 1", "spk_1": "Jane Doe"}


def test_two_who_claim_one_name_get_none() -> None:
    lines = talk((0, "I'm Luciano."), (1, "No, I'm Luciano."))
    assert called(lines, HOSTS) == {"spk_0": "Speaker 1", "spk_1": "Speaker 2"}


def test_strangers_count_only_early() -> None:
    late = [segment(said("Long talk.", at), "spk_0") for at in range(0, 600, 10)]
    assert called([*late, *talk((1, "Hm."))[:1], segment(said("I'm Anna.", 620), "spk_0")]) == {
        "spk_0": "Speaker 1",
        "spk_1": "Speaker 2",
    }
    assert called([*late, segment(said("I'm Anna.", 620), "spk_1")])["spk_1"] == "Anna"


def test_a_voice_counts_more_than_a_greeting() -> None:
    voices = {"spk_0": voice(0, 0.3, 1), "spk_1": voice(1, 0.3, 2)}
    diarization = Diarization((), voices, {"spk_0": 60, "spk_1": 60})
    profiles = {
        "Luciano": Profile(voice(0), 60),
        "Eoin": Profile(voice(1), 60),
        "Old": Profile(voice(2)[:99], 9),
    }
    found = named(talk((0, "Hello Luciano."), (1, "Hello.")), diarization, HOSTS, [], profiles)
    assert [name.text for name in found.values()] == ["Luciano", "Eoin"]
    assert not named(talk((0, "Hm.")), diarization, HOSTS, [], {"Eoin": Profile(voice(3), 9)})["spk_0"].sure


def test_a_profile_under_a_first_name_is_the_known_persons() -> None:
    diarization = Diarization((), {"spk_0": voice(0)}, {"spk_0": 60})
    profiles = {"Luciano": Profile(voice(0), 60)}
    found = named(talk((0, "Hm.")), diarization, ["Luciano Mammino"], [], profiles)
    assert found["spk_0"].text == "Luciano Mammino"


SAID = "I'm|I am|my name is|this is|Hello|thanks,|joined by|with me are|our guest|and|thank you for having me"
PHRASES = st.sampled_from([*SAID.split("|"), "Eoin", "Owen", "Luciano", "Anna", "Jane", "Doe", ".", "?"])


@given(
    lines=st.lists(st.tuples(st.integers(0, 3), st.lists(PHRASES, min_size=1, max_size=12)), max_size=12),
    people=st.lists(st.sampled_from(["Anna", "Jane Doe", "Eoin"]), max_size=3),
)
def test_nobody_shares_a_name(lines: list[tuple[int, list[str]]], people: list[str]) -> None:
    segments = talk(*((who, " ".join(words)) for who, words in lines))
    found = named(segments, NOBODY, HOSTS, people)
    assert list(found) == list(dict.fromkeys(each.speaker for each in segments))
    texts = [name.text for name in found.values()]
    assert len(set(texts)) == len(texts)
    assert all(0 <= name.sure < 1 and name.text for name in found.values())


# Names as heard


@pytest.mark.parametrize(
    ("heard_as", "name"),
    [
        ("Owen", "Eoin"),
        ("Efuh", "Aoife"),
        ("Shivon", "Siobhan"),
        ("Neve", "Niamh"),
        ("Marin", "Maren"),
        ("Geoff", "Jeff"),
    ],
)
def test_names_that_sound_alike(heard_as: str, name: str) -> None:
    names = ["Eoin", "Aoife", "Siobhan", "Niamh", "Maren", "Jeff", "Luciano"]
    found = matched([heard_as], names)
    assert found is not None
    assert found.name == name
    assert found.sure < 1


def test_names_that_do_not() -> None:
    assert matched(["Anna"], ["Eoin"]) is None
    assert matched(["owen"], ["Eoin"]) is None
    assert matched(["Jane", "Roe"], ["Jane Doe-Smith"]) is None
    assert matched(["Jane"], ["Jane Doe", "Jane Roe"]) is None
    assert matched([], ["Jane"]) is None
    assert matched(["Jane"], [" ", "!"]) is None
    assert matched(["Dr", "Smith"], ["Dr. Jane Doe"]) is None
    assert matched(["Dr"], ["Dr. Jane Doe", "Dr."]) is None


def test_accents_and_capitals_are_no_difference() -> None:
    found = matched(["aine"], ["\u00c1ine N\u00ed Bhroin"])
    assert found is not None
    assert found.sure == 1


def test_one_person_is_listed_once() -> None:
    assert merged(["Eoin", " "], ["Eoin Shanaghy", "Jane Doe", "Jane Doe"]) == ["Eoin", "Jane Doe"]


def test_guests_in_titles() -> None:
    assert people_in("64. Queues with Jane Doe and Al O'Roe") == ("Jane Doe", "Al O'Roe")
    assert people_in("Rust (feat. Jane Doe): how and why") == ("Jane Doe",)
    assert people_in("Talks with Dr. Jane McCoy and Jean-Luc Doe") == ("Jane McCoy", "Jean-Luc Doe")
    assert people_in("Life with serverless, and without") == ()


@pytest.mark.parametrize("product", ["Amazon EventBridge", "AWS Lambda", "Amazon S3", "Apache ActiveMQ"])
def test_products_in_titles_are_nobody(product: str) -> None:
    assert people_in(f"Event-driven apps with {product}") == ()


def test_the_shows_terms_in_titles_are_nobody() -> None:
    terms = ["lambda", "Step Functions", "Do"]
    for name in ("Amazon Lambda", "Step Functions", "New Step Functions"):
        assert people_in(f"Serverless with {name}", terms) == ()
    assert people_in("Queues with Jane Doe", terms) == ("Jane Doe",)


# Profiles


def test_only_sure_names_with_enough_speech_are_learnt() -> None:
    diarization = Diarization(
        (),
        {f"spk_{who}": voice(who) for who in range(4)},
        {"spk_0": LEARNT_S, "spk_1": LEARNT_S - 1, "spk_2": 99, "spk_3": 99},
    )
    sures = [0.9, 0.9, 0.7, 0.0]
    names = {f"spk_{who}": Name(f"N{who}", "voice", sure) for who, sure in enumerate(sures)}
    assert list(learnt({}, diarization, {**names, "spk_9": Name("N9", "voice", 0.9)})) == ["N0"]


def test_a_profile_follows_a_voice() -> None:
    profiles = {"Jane": Profile(voice(0), 20.0), "Old": Profile(voice(5), 20.0)}
    diarization = Diarization((), {"spk_0": voice(1)}, {"spk_0": 60.0})
    names = {"spk_0": Name("Jane", "voice", 0.9)}
    after = learnt(profiles, diarization, names)
    assert after["Old"] is profiles["Old"]
    assert after["Jane"].seconds == 80
    assert float(after["Jane"].embedding @ voice(1)) == pytest.approx(60 / (20**2 + 60**2) ** 0.5)
    for _ in range(200):
        after = learnt(after, diarization, names)
    assert after["Jane"].seconds == 7200
    assert float(after["Jane"].embedding @ voice(1)) == pytest.approx(1, abs=1e-3)


def test_a_profile_of_another_model_is_replaced() -> None:
    diarization = Diarization((), {"spk_0": voice(1)}, {"spk_0": 60.0})
    after = learnt({"Jane": Profile(voice(0)[:99], 500)}, diarization, {"spk_0": Name("Jane", "voice", 0.9)})
    assert (after["Jane"].seconds, after["Jane"].embedding.shape) == (60, (192,))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\xff", b'{"voices":{"a":1}}', b'{"voices":{"a":{"seconds":1,"embedding":[]}},']
)
def test_damaged_profiles_say_what_to_do(data: bytes) -> None:
    with pytest.raises(StorageError) as error:
        profiles_from_bytes(data)
    assert "learnt anew" in error.value.hint
