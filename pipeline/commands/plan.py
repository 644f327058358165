"""`proofcast plan`: what transcripts would cost, before anybody pays for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click
import msgspec

from pipeline import __version__, loads
from pipeline import config as configs
from pipeline.accounts import aws_of, question
from pipeline.assumptions import changed, measured, shipped
from pipeline.commands.charts import check, plot_option
from pipeline.commands.plan_report import Answer, document, draw, report
from pipeline.console import config_option, engine, json_option, one_line, print_json
from pipeline.deployment import DEFAULT_REGION
from pipeline.errors import ConfigError, FeedError
from pipeline.feeds import parse_feed
from pipeline.listed import Listed, regions
from pipeline.loads import Load, Told
from pipeline.model import FeedDocument, FeedState
from pipeline.planning import (
    Question,
    beside,
    break_even,
    compare,
    crews,
    curve,
    reference,
    speeds,
)
from pipeline.ports import Fetched
from pipeline.urls import split_web_url
from pipeline.whatif import savings, sensitivity
from pipeline.wiring import Engine

_MOST_BYTES = 64_000_000  #: of a feed
_MINUTES = 60.0


@click.command()
@click.argument("sources", nargs=-1, metavar="[URL-OR-FILE]...")
@click.option("--feed", "feeds", multiple=True, metavar="NAME", help="A show of the config; may be repeated.")
@click.option("--episodes", type=click.IntRange(1, 100_000), help="Made up: so many a month.")
@click.option("--minutes", type=click.FloatRange(0.1, 6000), help="Made up: of such length (60).")
@click.option("--seed", type=int, help="Made up: not evenly, but as a network publishes, drawn with this.")
@click.option("--catalogue", metavar="EPISODES:HOURS", help="Made up: a back catalogue, all at once.")
@click.option("--region", help=f"Of AWS (default: the config's, else {DEFAULT_REGION}).")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Another assumption.")
@click.option("-v", "--verbose", is_flag=True, help="With shares of the costs, each price, and every source.")
@plot_option
@config_option
@json_option
@click.pass_context
def plan(
    ctx: click.Context,
    sources: tuple[str, ...],
    feeds: tuple[str, ...],
    episodes: int | None,
    minutes: float | None,
    seed: int | None,
    catalogue: str | None,
    region: str | None,
    settings: tuple[str, ...],
    verbose: bool,
    plot: str | None,
    as_json: bool,
) -> None:
    """Say what transcripts would cost, by every way there is to have them made.

    What there is to transcribe: the feeds at URL-OR-FILE (several are a network), shows of the config with
    --feed, or all of its shows; or --episodes 4 --minutes 60, a month's; or --catalogue 500:400. Published
    episodes are played through with the function that decides about workers. Every assumption is
    printed with the answer, and --set puts another in its place.
    """
    if len([given for given in (sources, feeds, episodes, catalogue) if given]) > 1:
        raise ConfigError("one load at a time", "feeds by address, or --feed, or --episodes, or --catalogue")
    check(plot, as_json=as_json)
    at = _engine(ctx)
    made_up = _made_up(episodes, minutes, seed, catalogue)
    load = made_up or (_fetched(at, sources) if sources else _known(at, feeds))
    table = changed(measured(shipped(), _speeds(at)), settings)
    aws = aws_of(at.config if at else None)
    if region is not None:
        aws = msgspec.structs.replace(aws, region=_listed(region))
    prices = at.prices if at and region is None else Listed(aws.region)
    answer = _answer(question(aws, prices, load, table))
    if as_json:
        print_json(document(answer))
    else:
        report(answer, verbose=verbose)
    if plot is not None:
        draw(answer, plot)


def _engine(ctx: click.Context) -> Engine | None:
    """The config's, where there is one: none is needed."""
    if not ctx.meta.get("config"):
        try:
            configs.find(None)
        except ConfigError:
            return None
    return engine(ctx)


def _listed(region: str) -> str:
    if region not in regions():
        raise ConfigError(f"--region {region}: no prices of it are shipped", f"known: {', '.join(regions())}")
    return region


def _made_up(
    episodes: int | None, minutes: float | None, seed: int | None, catalogue: str | None
) -> Load | None:
    if episodes is None and (minutes is not None or seed is not None):
        raise ConfigError("--minutes and --seed are of episodes that are made up", "add: --episodes 4")
    if minutes is not None and math.isnan(minutes):
        raise ConfigError("--minutes nan: it must be a number", "as: --minutes 60")
    if catalogue is not None:
        return _catalogue(catalogue)
    if episodes is None:
        return None
    long = minutes or _MINUTES
    return loads.regular(episodes, long) if seed is None else loads.drawn(episodes, long, seed)


def _catalogue(given: str) -> Load:
    count, _, hours = given.partition(":")
    try:
        many, long = int(count), float(hours)
    except ValueError:
        many, long = 0, 0.0
    if not (1 <= many <= 100_000 and 0.001 <= long / many <= 100):
        raise ConfigError(f"--catalogue {given}: it must be episodes and hours", "as: --catalogue 500:400")
    return loads.catalogue(many, long)


def _fetched(at: Engine | None, sources: Iterable[str]) -> Load:
    """Of feeds by their addresses or files. Raises ConfigError, FeedError."""
    shows: dict[str, Sequence[Told]] = {}
    for source in sources:
        document = _feed(at, source)
        title = one_line(document.title)
        name = source if not title or title in shows else title
        shows[name] = [item for item in document.items if item.enclosure]
    return loads.of_shows(shows)


def _feed(at: Engine | None, source: str) -> FeedDocument:
    try:
        if split_web_url(source) is None:
            return parse_feed(Path(source).read_bytes())
        fetched = _asked(at, FeedState(name=source, url=source))
        return parse_feed(fetched.body, fetched.headers)
    except OSError as error:
        hint = "name a feed's file, or its http address"
        raise ConfigError(f"{source} can't be read: {error.strerror}", hint) from None
    except FeedError as error:
        message = error.message if source in error.message else f"{source}: {error.message}"
        raise FeedError(message, error.hint) from None


def _asked(at: Engine | None, state: FeedState) -> Fetched:
    if at:
        return at.fetch_feed(state)
    from pipeline.adapters.http import Http

    with Http(__version__, _MOST_BYTES) as http:
        return http.fetch_feed(state)


def _known(at: Engine | None, feeds: Sequence[str]) -> Load:
    """Of the config's shows, as the ledger knows them. Raises ConfigError."""
    if at is None:
        raise ConfigError(
            "nothing to plan for, and no config whose shows could be meant",
            "as: proofcast plan https://example.com/feed.xml, or --episodes 4 --minutes 60",
        )
    names = [at.config.feed_named(name).name for name in feeds] or [feed.name for feed in at.config.feed]
    shows = {name: at.ledger.episodes(feed=name) for name in names}
    known = {name: episodes for name, episodes in shows.items() if episodes}
    if not known:
        raise ConfigError(
            "no episode is known yet", "'proofcast poll' looks for them; or make some up: --episodes 4"
        )
    return loads.of_shows(known)


def _speeds(at: Engine | None) -> Mapping[str, float]:
    """As this deployment's own bills measured them, of episodes that have a transcript."""
    if at is None or at.config.engine == "local":
        return {}
    lengths = {each.id: each.duration_s for each in at.ledger.episodes() if each.duration_s and each.worked_s}
    return speeds(at.ledger.bills(), lengths)


def _answer(asked: Question) -> Answer:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        found, unknown = asked.options()
        rows = compare(asked, bars.track(found, description="options"))
        first = reference(rows)
        load, terms = asked.load, asked.terms
        curves = {}
        if first and load.months:
            shown = bars.track([first, *beside(rows)], description="break-even")
            curves = {row.option.name: curve(row.option, load, terms) for row in shown}
        bars.add_task("sensitivity", total=None)
        return Answer(
            question=asked,
            rows=rows,
            unknown=unknown,
            curves=curves,
            breaks=[break_even(next(iter(curves)), name, curves) for name in list(curves)[1:]],
            savings=savings(asked, rows),
            effects=sensitivity(asked, first.option.name) if first else [],
            crews=[] if load.months else crews(asked, rows),
        )
