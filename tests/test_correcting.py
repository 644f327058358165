"""The show's words put right: what is changed, what is only suggested, when it was said, and back again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.correcting import Corrected, corrected
from pipeline.errors import ProofcastError
from pipeline.learning import Pair, learnt_rules
from pipeline.model import Segment, Transcript, Word
from pipeline.rewording import places
from pipeline.undoing import undone
from pipeline.vocabulary import Rule, Vocabulary, read_vocabulary, written

TERMS = (
    "fourTheorem",
    "EventBridge",
    "CloudFormation",
    "Step Functions",
    "Lambda",
    "Lambdas",
    "AWS",
    "IAM",
    "S3",
    "vCPU",
    "DynamoDB",
    "Powertools",
    "Mammino",
)
SHOW = Vocabulary(
    TERMS,
    (
        Rule(wrong=("4th theorem",), right="fourTheorem"),
        Rule(wrong=("some",), right="SAM"),
        Rule(wrong=("cloud",), right="Claude", near=("Anthropic", "language model")),
        Rule(wrong=("item potency",), right="idempotency"),
        Rule(wrong=("SQS queue",), right="queue", suggest=True),
    ),
)


def heard(text: str, start: float = 0.0, speaker: str = "spk_0") -> Segment:
    words = tuple(
        Word(word, start + n / 2, start + n / 2 + 0.5, 0.9 - n / 100) for n, word in enumerate(text.split())
    )
    return Segment(speaker, start, start + len(words) / 2, text, words)


def fixed(text: str, vocabulary: Vocabulary = SHOW, language: str = "en") -> Corrected:
    return corrected([heard(text)], vocabulary, language)


def text_of(result: Corrected) -> str:
    return " ".join(segment.text for segment in result.segments)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("At 4th theorem, we", "At fourTheorem, we"),
        ("4TH  Theorem's site.", "fourTheorem's site."),
        ('("4th theorem")', '("fourTheorem")'),
        ("Item potency is hard. Item potency", "Idempotency is hard. Idempotency"),
        ("the Item potency", "the idempotency"),
        ("4th theorem is", "fourTheorem is"),
        ("Event bridge and event-bridge", "EventBridge and EventBridge"),
        ("cloud formation's step functions", "CloudFormation's Step Functions"),
        ("a lambda, two lambdas on a WS", "a Lambda, two Lambdas on AWS"),
        ("dynamo D B and Dynamodb", "DynamoDB and DynamoDB"),
        ("one VCPU on s3", "one vCPU on S3"),
        ("Fortheorem and fourtheorum", "fourTheorem and fourTheorem"),
        ("at Fourth Erem today", "at fourTheorem today"),
        ("Momino speaks", "Mammino speaks"),
        ("on 4th theorem.com", "on fourTheorem.com"),
        ("cloud is by Anthropic", "Claude is by Anthropic"),
    ],
)
def test_what_is_surely_wrong_is_put_right(wrong: str, right: str) -> None:
    assert text_of(fixed(wrong)) == right


@pytest.mark.parametrize(
    "text",
    [
        "I am in the cloud",
        "some 14th theorem of theorems",
        "a lambda@edge at lambda.com or /lambda or pre-lambda",
        "the bridge of an event, bridge",
        "power tools",
        "dynamics and dynamite",
        "I. AM",
        "mammoth Mamma",
        "the SQS queue",
    ],
)
def test_what_may_be_right_is_left(text: str) -> None:
    assert text_of(fixed(text)) == text


def test_a_common_word_is_only_suggested() -> None:
    (entry,) = fixed("we use some for it").applied
    assert entry["status"] == "suggested"
    assert (entry["wrong"], entry["right"], entry["by"]) == ("some", "SAM", "rule")
    assert "near" in entry["why"]
    assert (entry["start"], entry["end"]) == (1.0, 1.5)


@pytest.mark.parametrize(
    ("wrong", "right"), [("some", "SAM"), ("Austin", "Hosting"), ("bus", "PaaS"), ("picture", "Pikchr")]
)
def test_rules_for_words_that_people_say_need_a_context(wrong: str, right: str) -> None:
    bare = Vocabulary(rules=(Rule(wrong=(wrong,), right=right),))
    bound = Vocabulary(rules=(Rule(wrong=(wrong,), right=right, near=("AWS",)),))
    assert text_of(fixed(f"on AWS with {wrong}", bare)) == f"on AWS with {wrong}"
    assert text_of(fixed(f"on AWS with {wrong}", bound)) == f"on AWS with {right}"
    assert text_of(fixed(f"with {wrong}", bound)) == f"with {wrong}"


def test_the_context_may_be_in_other_passages_but_not_far() -> None:
    def cloud(between: int) -> str:
        first, second = heard("Anthropic " + "and " * between, speaker="a"), heard("Cloud says", 60, "b")
        return corrected([first, second], SHOW).segments[1].text

    assert cloud(19) == "Claude says"
    assert cloud(20) == "Cloud says"


def test_the_shows_own_word_is_no_mishearing_of_another() -> None:
    vocabulary = Vocabulary(("Lambda",), (Rule(wrong=("Lambda",), right="Llaama"),))
    result = fixed("a Lambda", vocabulary)
    assert text_of(result) == "a Lambda"
    assert [entry["status"] for entry in result.applied] == ["suggested"]


def test_names_that_resemble_each_other_are_left_to_people() -> None:
    vocabulary = Vocabulary(("Gerganov", "Gerganow"))
    assert text_of(fixed("Gerganox", vocabulary)) == "Gerganox"


def test_where_a_languages_words_are_not_known_nothing_is_taken_for_a_term() -> None:
    result = fixed("fourtheorum with 4th theorem, event bridge", language="xx")
    assert text_of(result) == "fourtheorum with 4th theorem, EventBridge"
    assert [entry["status"] for entry in result.applied] == ["suggested", "applied"]
    near = Vocabulary(rules=(Rule(wrong=("4th theorem",), right="fourTheorem", near=("AWS",)),))
    assert text_of(fixed("4th theorem on AWS", near, "xx")) == "fourTheorem on AWS"


@pytest.mark.parametrize(
    "text",
    ["we grant it and grants chase who chases a herb", "her b", "frost at the lake", "Grant and grants"],
)
@pytest.mark.parametrize("language", ["en", "xx"])
def test_words_are_not_peoples_names(text: str, language: str) -> None:
    people = Vocabulary().knowing(["Grant Frost", "Chase Lake", "Herb Ng"])
    assert fixed(text, people, language).applied == ()


def test_names_that_are_no_words_are_still_found() -> None:
    people = Vocabulary().knowing(["Eoin Shanaghy", "Luciano Mammino"])
    assert text_of(fixed("eoin and Momino", people)) == "Eoin and Mammino"


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("a rust spot", "Rust"),
        ("the cloud front and center", "CloudFront"),
        ("we will cloud watch", "CloudWatch"),
        ("it's nice to cloud watch", "CloudWatch"),
        ("postgres is fine", "PostgreSQL"),
    ],
)
def test_what_may_be_meant_as_it_was_said_is_suggested(text: str, term: str) -> None:
    result = fixed(text, Vocabulary((term,)))
    assert text_of(result) == text
    assert [(entry["right"], entry["status"]) for entry in result.applied] == [(term, "suggested")]


def test_a_plural_is_no_plural_of_a_term_that_is_a_word() -> None:
    assert fixed("the iron rusts", Vocabulary(("Rust",))).applied == ()


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("the cloud front and S3", "the CloudFront and S3"),
        ("cloud watch and then", "CloudWatch and then"),
        ("the cloud formation stack", "the CloudFormation stack"),
    ],
)
def test_names_of_common_words_are_found_among_others(text: str, right: str) -> None:
    assert text_of(fixed(text, Vocabulary(("CloudFront", "CloudWatch", "CloudFormation", "S3")))) == right


@pytest.mark.parametrize("language", ["en", "xx"])
def test_signs_are_put_right(language: str) -> None:
    signs = Vocabulary(rules=(Rule(wrong=("&",), right="and", regex=True, near=()),))
    result = fixed("this & that", signs, language)
    assert [entry["status"] for entry in result.applied] == ["applied" if language == "en" else "suggested"]


def test_an_expression_that_leaves_nothing_changes_nothing() -> None:
    rules = Vocabulary(rules=(Rule(wrong=("(foo)?bar",), right="\\1", regex=True),))
    assert text_of(fixed("a bar", rules)) == "a bar"


def test_what_was_put_right_is_no_longer_improbable() -> None:
    segment = Segment(
        "a", 0.0, 2.0, "4th theorem", (Word("4th", 0.0, 1.0, 0.2), Word("theorem", 1.0, 2.0, 0.3))
    )
    assert corrected([segment], SHOW).segments[0].words == (Word("fourTheorem", 0.0, 2.0, 0.95),)


def test_words_keep_their_times() -> None:
    (segment,) = fixed("At 4th theorem, event bridge").segments
    assert segment.words == (
        Word("At", 0.0, 0.5, 0.9),
        Word("fourTheorem,", 0.5, 1.5, 0.95),
        Word("EventBridge", 1.5, 2.5, 0.95),
    )


def test_a_word_that_becomes_two_is_shared_by_letters() -> None:
    (segment,) = fixed("StepFunctions", Vocabulary(("Step Functions",))).segments
    assert segment.words == (Word("Step", 0.0, 0.154, 0.95), Word("Functions", 0.154, 0.5, 0.95))


def test_a_term_may_cross_the_border_of_two_passages_of_one_speaker() -> None:
    result = corrected([heard("we use step"), heard("functions on AWS", 1.5)], SHOW)
    assert [segment.text for segment in result.segments] == ["we use Step Functions", "on AWS"]
    assert [(segment.start, segment.end) for segment in result.segments] == [(0.0, 2.0), (2.0, 3.0)]
    whole = corrected([heard("we use step"), heard("functions", 1.5)], SHOW)
    assert [segment.text for segment in whole.segments] == ["we use Step Functions"]


@pytest.mark.parametrize("far", [False, True])
def test_a_rules_context_may_be_beyond_the_border_that_it_crosses(far: bool) -> None:
    rules = Vocabulary(rules=(Rule(wrong=("bottle rocket",), right="Bottlerocket", near=("AWS",)),))
    first = heard("AWS has many things that run on a" + " very" * 20 * far + " bottle")
    second = heard("rocket is one", first.end)
    third = heard("so they say on AWS" if not far else "they say", second.end, "spk_1")
    texts = [segment.text for segment in corrected([first, second, third], rules).segments]
    assert (texts[0].endswith("a Bottlerocket"), texts[1] == "is one") == (not far, not far)
    ahead = [heard("AWS", 0.0, "spk_1"), heard("a bottle", 1.0), heard("rocket", 2.0)]
    assert text_of(corrected(ahead, rules)) == "AWS a Bottlerocket"
    behind = [heard("a bottle", 1.0), heard("rocket", 2.0), heard("AWS", 3.0, "spk_1")]
    assert text_of(corrected(behind, rules)) == "a Bottlerocket AWS"


@pytest.mark.parametrize(("speaker", "start"), [("spk_1", 1.5), ("spk_0", 9.0)])
def test_but_not_of_two_speakers_nor_a_pause(speaker: str, start: float) -> None:
    segments = [heard("we use step"), heard("functions on AWS", start, speaker)]
    assert corrected(segments, SHOW).segments == tuple(segments)


def test_a_suggestion_is_made_a_few_times_only() -> None:
    assert len(fixed("some " * 40).applied) == 5


def test_a_passage_whose_words_say_something_else_is_corrected_in_its_text() -> None:
    segment = Segment("a", 1.0, 2.0, "4th theorem", (Word("nothing", 1.0, 2.0, 0.5),))
    result = corrected([segment], SHOW)
    assert result.segments[0].text == "fourTheorem"
    assert (result.applied[0]["start"], result.applied[0]["end"]) == (1.0, 2.0)


PHRASES = st.sampled_from(
    (
        *TERMS,
        *("4th theorem", "event bridge", "step", "functions", "cloud", "Anthropic", "some", "a WS", "lambda"),
        *("item potency", "fourtheorum", "the", "I am", "dynamo", "D B", "is it?", "so,", "Fourth", "Erem"),
    )
)
PASSAGES = st.lists(st.tuples(st.lists(PHRASES, min_size=1, max_size=8), st.sampled_from("ab")), max_size=4)


def passages(drawn: list[tuple[list[str], str]]) -> list[Segment]:
    segments: list[Segment] = []
    for phrases, speaker in drawn:
        segments.append(heard(" ".join(phrases), segments[-1].end if segments else 0.0, speaker))
    return segments


def transcript(result: Corrected) -> Transcript:
    return Transcript(
        episode={},
        language="en",
        duration_s=100.0,
        model={},
        speakers={},
        segments=result.segments,
        vocabulary_applied=result.applied,
    )


@given(PASSAGES)
def test_doing_it_again_changes_nothing(drawn: list[tuple[list[str], str]]) -> None:
    once = corrected(passages(drawn), SHOW)
    again = corrected(once.segments, SHOW)
    assert again.segments == once.segments
    assert all(entry["status"] == "suggested" for entry in again.applied)


@given(PASSAGES)
def test_times_run_forwards_and_words_tell_the_text(drawn: list[tuple[list[str], str]]) -> None:
    before = passages(drawn)
    result = corrected(before, SHOW).segments
    words = [word for segment in result for word in segment.words]
    assert all(first.start <= first.end <= second.start for first, second in pairwise(words))
    assert all(len(places(segment)) == len(segment.words) > 0 for segment in result)
    if before:
        assert (words[0].start, words[-1].end) == (before[0].start, before[-1].end)


@given(PASSAGES)
def test_each_correction_can_be_undone(drawn: list[tuple[list[str], str]]) -> None:
    result = corrected(passages(drawn), SHOW)
    for entry in result.applied:
        if entry["status"] == "applied" and transcript(result).vocabulary_applied.count(entry) == 1:
            try:
                back = undone(transcript(result), entry)
            except ProofcastError:  # another correction changed what it wrote
                continue
            assert {**entry, "status": "undone"} in back.vocabulary_applied
            texts = [segment.text for segment in back.segments]
            assert any(entry["wrong"] in text for text in texts)


def test_what_is_undone_reads_as_it_was_heard() -> None:
    result = fixed("At 4th theorem, 4th theorem")
    first, second = result.applied
    back = undone(transcript(result), second)
    assert back.segments[0].text == "At fourTheorem, 4th theorem"
    assert [word.text for word in back.segments[0].words] == ["At", "fourTheorem,", "4th", "theorem"]
    assert back.segments[0].words[-1].end == result.segments[0].words[-1].end
    with pytest.raises(ProofcastError, match="not a correction that can be undone"):
        undone(back, second)
    assert undone(back, first).segments[0].text == "At 4th theorem, 4th theorem"


def test_a_chain_of_corrections_is_undone_from_its_end_with_all_its_times() -> None:
    vocabulary = Vocabulary(("EventBridge",), (Rule(wrong=("zork",), right="event"),))
    before = heard("the zork bridge, says Ann")
    result = corrected([before], vocabulary)
    assert text_of(result) == "the EventBridge, says Ann"
    first, second = result.applied
    with pytest.raises(ProofcastError, match="no longer stands"):
        undone(transcript(result), first)
    assert undone(undone(transcript(result), second), first).segments == (before,)


def test_of_two_equal_corrections_one_is_undone() -> None:
    segment = Segment("a", 0.0, 1.0, "4th theorem 4th theorem", ())
    result = corrected([segment], SHOW)
    assert result.applied[0] == result.applied[1]
    back = undone(transcript(result), result.applied[0])
    assert [entry["status"] for entry in back.vocabulary_applied] == ["undone", "applied"]


def test_what_a_person_edited_since_is_not_undone() -> None:
    result = fixed("At 4th theorem")
    edited = Corrected((heard("At theirs now"),), result.applied)
    with pytest.raises(ProofcastError, match="no longer stands"):
        undone(transcript(edited), result.applied[0])


PAIRS = [
    Pair("Forteorem. Forteorem", "fourTheorem. fourTheorem", 2),
    Pair("at Fortiorum we", "at fourTheorem we"),
    Pair("phase", "FAISS"),
    Pair("step functions", "Step Functions", 6),
    Pair("service network", "Service Network"),
    Pair("function", "Function", 4),
    Pair("So you", "You"),
    Pair("AWS so", "AWS. So"),
    Pair("the lambda", "Lambda"),
    Pair("Lambda", "Llaama"),
    Pair("a lambda", "a Lambda"),
    Pair("app runner", "AppRunner", 2),
    Pair("AppRunner", "App Runner"),
    Pair("they", "I"),
    Pair("Fortrem", "fourTheoremm"),
]


def test_corrections_teach_what_is_safe_and_suggest_the_rest() -> None:
    learnt = learnt_rules(PAIRS)
    made = {(wrong, rule.right): rule.suggest for rule in learnt.rules for wrong in rule.wrong}
    assert made == {
        ("Forteorem", "fourTheorem"): False,
        ("Fortiorum", "fourTheorem"): False,
        ("phase", "FAISS"): True,
        ("step functions", "Step Functions"): False,
        ("service network", "Service Network"): True,
        ("lambda", "Lambda"): False,
        ("app runner", "AppRunner"): False,
    }
    assert read_vocabulary(written(learnt), "learnt") == learnt


def test_what_was_learnt_mends_what_is_near_to_it() -> None:
    learnt = learnt_rules(PAIRS)
    assert text_of(fixed("At Forteorum two lambdas", learnt)) == "At fourTheorem two Lambdas"
