"""Commands by which episodes come in: `poll` and `add`."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import adding, polling
from pipeline.adding import AudioFile
from pipeline.console import (
    config_option,
    engine,
    json_option,
    one_line,
    print_json,
    queued_hint,
    say,
    start_workers,
)
from pipeline.errors import ConfigError
from pipeline.model import FeedItem
from pipeline.polling import FeedResult
from pipeline.queueing import relay
from pipeline.status import episode_row


@click.command()
@click.option("--feed", metavar="NAME", help="Only this show.")
@click.option("-v", "--verbose", is_flag=True, help="Say something even where nothing is new.")
@config_option
@json_option
@click.pass_context
def poll(ctx: click.Context, feed: str | None, verbose: bool, as_json: bool) -> None:
    """Look for new episodes and queue them.

    Made for cron: silent when nothing happened, safe at any rate. Exit code 1 when a feed could not
    be read (the others were), 75 when another poll is running.
    """
    at = engine(ctx, acting=True)
    with_url = [each for each in at.config.feed if each.url]
    feeds = [at.config.feed_named(feed)] if feed else with_url
    if not feeds:
        raise ConfigError(
            f"{at.config_file} names no feed", 'add a [[feed]] with a name and a url, or use "proofcast add"'
        )
    if not all(each.url for each in feeds):
        raise ConfigError(f"the feed '{feed}' has no url in {at.config_file}")

    def report(result: FeedResult) -> None:
        # Each feed's jobs go out as soon as it is recorded: what comes after may take its time.
        relay(at.ledger, at.queue)
        if verbose or result.new or result.error or result.held:
            say(_line(result))

    with at.polling():
        results = polling.poll(feeds, at.fetch_feed, at.ledger, at.clock, report)
        at.tend()
    started = start_workers(at)
    if as_json:
        rows = [_row(result) for result in results]
        print_json({"feeds": rows, "queued": sum(result.queued for result in results)})
    if not started or any(result.error for result in results):
        ctx.exit(1)


def _row(result: FeedResult) -> dict[str, object]:
    keys = ("name", "url", "http_status", "new", "updated", "held", "error")
    return {key: getattr(result, key) for key in keys}


def _line(result: FeedResult) -> str:
    if result.error:
        return f"{result.name}: {result.error}"
    if result.http_status == 304:
        return f"{result.name}: unchanged"
    held = f", {result.held} held: see 'proofcast episodes --state held'" if result.held else ""
    return f"{result.name}: {result.new} new, {result.queued} queued, {result.updated} updated{held}"


@click.command()
@click.argument("audio", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--feed", metavar="NAME", required=True, help="The show it belongs to.")
@click.option("--number", type=click.IntRange(min=0), help="The episode's number.")
@click.option("--title", help="Its title (default: the file's name).")
@config_option
@json_option
@click.pass_context
def add(
    ctx: click.Context, audio: Path, feed: str, number: int | None, title: str | None, as_json: bool
) -> None:
    """Queue an AUDIO file before it is published.

    When its item appears in the feed later, with the same number or title, it is recognised and not
    transcribed again. The same file added twice is one episode.
    """
    at = engine(ctx, acting=True)
    item = FeedItem(title=one_line(title or audio.stem), number=number)
    episode, new = adding.add(
        AudioFile(audio, at.artifacts), at.config.feed_named(feed), item, at.ledger, at.clock
    )
    relay(at.ledger, at.queue)
    started = start_workers(at)
    if as_json:
        print_json(episode_row(episode, at.artifacts))
    else:
        click.echo(episode.id)
        say(queued_hint(at) if new else f"known already: it is {episode.state}")
    if not started:
        ctx.exit(1)
