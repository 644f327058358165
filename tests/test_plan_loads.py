"""What there is to transcribe, as told of shows and as made up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import loads
from pipeline.errors import ConfigError
from pipeline.loads import MONTH_S, Load
from pipeline.model import FeedItem
from tests.builders import NOW, an_item

WEEK_S = 7 * 86_400.0


def weekly(count: int, **fields: float | None) -> list[FeedItem]:
    """Items in feed order: the newest first."""
    facts = {"duration_s": 1800.0, **fields}
    return [an_item(guid=f"{n}", published=NOW + n * WEEK_S, **facts) for n in reversed(range(count))]


def test_52_weekly_episodes_are_a_year_of_weeks() -> None:
    load = loads.of_shows({"show": weekly(52)})
    assert load.months == pytest.approx(52 * WEEK_S / MONTH_S)
    assert load.a_month == pytest.approx(4.348, abs=0.001)
    assert [each.at for each in load.arrivals[:3]] == [0, WEEK_S, 2 * WEEK_S]
    assert load.audio_s == 52 * 1800
    assert load.notes == ()


def test_shows_together_are_a_network_in_the_order_of_time() -> None:
    late = [an_item(guid="x", published=NOW + WEEK_S / 2, duration_s=60.0)]
    load = loads.of_shows({"one": weekly(2), "two": late})
    assert [each.audio_s for each in load.arrivals] == [1800, 60, 1800]
    assert load.name == "one, two"


def test_missing_lengths_are_the_shows_median_and_missing_dates_are_left_out() -> None:
    items = [
        *(an_item(guid=f"{n}", published=NOW + n * WEEK_S, duration_s=n * 600.0) for n in range(1, 4)),
        an_item(guid="long", published=NOW, duration_s=None),
        an_item(guid="undated", published=None, duration_s=600.0),
        an_item(guid="placeholder", published=0.0, duration_s=600.0),
    ]
    load = loads.of_shows({"show": items})
    assert [each.audio_s for each in load.arrivals] == [1200, 600, 1200, 1800]
    assert load.notes == (
        "show: 2 of 6 items have no date: left out",
        "show: 1 of 4 episodes tell no length: 20 minutes, the show's median",
    )


def test_of_a_show_that_tells_no_length_at_all_an_hour_is_assumed_and_said() -> None:
    load = loads.of_shows({"show": weekly(3, duration_s=None)})
    assert load.audio_s == 3 * 3600
    assert load.notes == (
        "show: 3 of 3 episodes tell no length: 60 minutes, as nothing is known of the show",
    )


def test_a_single_episode_is_a_month() -> None:
    assert loads.of_shows({"show": weekly(1)}).months == 1


def test_without_any_date_there_is_nothing_to_plan() -> None:
    with pytest.raises(ConfigError, match="show: no episode with audio and a date"):
        loads.of_shows({"show": [an_item(published=None)]})


@given(st.integers(1, 5000), st.floats(1, 300))
def test_a_made_up_load_has_the_pace_and_the_audio_that_were_asked_for(a_month: int, minutes: float) -> None:
    for load in (loads.regular(a_month, minutes), loads.drawn(a_month, minutes, seed=7)):
        assert len(load.arrivals) == min(12 * a_month, 3000)
        assert load.a_month == pytest.approx(a_month, rel=0.5 / (load.months * 30) + 0.001)
        assert load.audio_s == pytest.approx(len(load.arrivals) * minutes * 60)
        assert list(load.arrivals) == sorted(load.arrivals, key=lambda each: each.at)


def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    assert loads.drawn(50, 45, 1) == loads.drawn(50, 45, 1)
    assert loads.drawn(50, 45, 1).arrivals != loads.drawn(50, 45, 2).arrivals


def test_a_catalogue_has_its_hours_and_is_there_at_once() -> None:
    load = loads.catalogue(500, 400)
    assert math.isclose(load.audio_s, 400 * 3600)
    assert {each.at for each in load.arrivals} == {0.0}
    assert len({each.audio_s for each in load.arrivals}) > 400  # of lengths that differ
    assert (load.months, load.a_month) == (0, 0)


@given(st.sampled_from([1, 7, 99, 100, 301, 2000]), st.floats(0.5, 20_000))
def test_at_another_pace_it_is_the_same_show(count: int, a_month: float) -> None:
    load = loads.of_shows({"show": weekly(count)})
    paced = loads.at_rate(load, a_month)
    assert paced.a_month == pytest.approx(a_month)
    assert 100 <= len(paced.arrivals) <= 300
    assert paced.audio_s == len(paced.arrivals) * 1800
    gaps = [after.at - before.at for before, after in zip(paced.arrivals, paced.arrivals[1:], strict=False)]
    assert gaps == pytest.approx([MONTH_S / a_month] * len(gaps), rel=0.02)


def test_a_long_past_is_thinned_at_the_same_pace() -> None:
    load = loads.of_shows({"show": weekly(520)})
    thin = loads.thinned(load)
    assert len(thin.arrivals) == 260
    assert thin.a_month == pytest.approx(load.a_month)
    assert len(loads.thinned(loads.catalogue(7000, 7000)).arrivals) == 2334
    short, back = loads.of_shows({"show": weekly(300)}), loads.catalogue(1000, 1000)
    assert (loads.thinned(short), loads.thinned(back)) == (short, back)


def test_longer_episodes_come_at_the_same_times() -> None:
    load = Load(name="", arrivals=loads.regular(4, 60).arrivals, months=12)
    assert loads.longer(load, 1.5).audio_s == pytest.approx(1.5 * load.audio_s)
    assert [each.at for each in loads.longer(load, 2).arrivals] == [each.at for each in load.arrivals]
