"""An engine's backend: its sources and actions, and what closes it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.reporting import By
from tui.actions import actions, keep_warm
from tui.backend import Backend, Source
from tui.ports import Engine
from tui.sources.costs import CostsSource
from tui.sources.episodes import EpisodesSource
from tui.sources.fleet import FleetSource
from tui.sources.log import LogSource
from tui.sources.reviews import ReviewsSource
from tui.sources.status import StatusSource
from tui.values import Line

if TYPE_CHECKING:
    from tui.sources.detail import Imagined


def backend(at: Engine, config_file: Path) -> Backend:
    """For a dashboard to show; nothing is asked of the engine before a source is read."""
    costs = CostsSource(at)

    def add_up_by(by: str) -> None:
        costs.by = By(by)

    sources = (
        StatusSource(at),
        EpisodesSource(at),
        FleetSource(at),
        costs,
        ReviewsSource(at),
        LogSource(at),
    )

    @cache
    def imagined() -> Imagined:
        from tui.sources.detail import Imagined

        return Imagined(at)

    def detail(episode: str) -> Source:
        from tui.sources.detail import DetailSource  # which takes longer to load than all the others

        return DetailSource(at, episode, imagined())

    return Backend(
        name=_name(at, config_file),
        production=at.config.production,
        sources={source.name: source for source in sources},
        detail=detail,
        log=lambda of: LogSource(at, of),
        actions=actions(at),
        command=lambda screen, line: command(screen, line, config_file),
        by=add_up_by,
        keep_warm=lambda seconds: keep_warm(at, seconds),
    )


def command(screen: str, line: Line | None, config_file: Path) -> str:
    """The command line that shows the same."""
    if line and line.episode:
        asked = f"costs '{line.episode}'" if screen == "costs" else f"show '{line.episode}'"
    else:
        asked = {"costs": "costs", "reviews": "review list", "episodes": "episodes"}.get(screen, "status")
    return f"proofcast {asked} -c '{config_file}'"


def _name(at: Engine, config_file: Path) -> str:
    aws = at.config.aws
    if at.config.engine == "aws" and aws:
        return f"{aws.name}@{aws.region}"
    return f"local {config_file.resolve().parent.name}"
