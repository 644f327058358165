"""What is played through once more, to tell what would have cost less."""

from __future__ import annotations

from pipeline.advice import load_of
from pipeline.arrivals import Arrival
from tests.builders import NOW, an_episode


def test_of_many_episodes_the_last_thousand_are_played_through() -> None:
    """So that a hundred thousand keep nobody waiting."""
    published = [NOW + 600.0 * number for number in range(1200)]
    episodes = [an_episode(f"show-{at:.0f}", published=at, queued_at=at, duration_s=60.0) for at in published]
    load = load_of(reversed(episodes))
    assert load.arrivals[0] == Arrival(at=0.0, audio_s=60.0)
    assert load.arrivals[-1] == Arrival(at=600.0 * 999, audio_s=60.0)
