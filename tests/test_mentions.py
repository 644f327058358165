"""Names and terms that a feed's notes mention."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.mentions import MOST, mentions


def test_names_products_and_acronyms_are_found_in_order() -> None:
    text = "We talk to Luciano Mammino about AWS Lambda, vCPUs and S3. See https://example.com/Page for more."
    assert mentions(text) == ("Luciano Mammino", "AWS Lambda", "vCPUs", "S3")


def test_a_capital_that_a_sentence_gave_is_no_name() -> None:
    text = "Today it rains. Join us, and read more. However Fargate is different: Nothing else is."
    assert mentions(text) == ("Fargate",)


def test_a_name_behind_the_first_word_of_a_sentence_is_kept() -> None:
    assert mentions("Join fourTheorem on Slack") == ("fourTheorem", "Slack")
    assert mentions("DynamoDB is a database") == ("DynamoDB",)


def test_addresses_are_none() -> None:
    assert mentions("write to Someone@Example.com, or see www.Example.org/Things and docs.Example.io") == ()


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    found = mentions(text)
    assert len(found) <= MOST
    assert all(name == name.strip() and name for name in found)
