"""`proofcast review`: what waits for people, and what became of it."""

from __future__ import annotations

import click

from pipeline.console import (
    ago,
    config_option,
    engine,
    json_option,
    print_json,
    print_table,
    say,
    start_workers,
)
from pipeline.errors import IllegalMove, ProofcastError
from pipeline.handle import Handle
from pipeline.model import Episode, State, Step
from pipeline.queueing import retry
from pipeline.status import episode_row, find_episode, reviews_in
from pipeline.wiring import Engine


@click.group(invoke_without_command=True)
@config_option
@click.pass_context
def review(ctx: click.Context) -> None:
    """List, open and follow reviews (alone: list)."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_reviews, as_json=False)


@review.command("list")
@config_option
@json_option
@click.pass_context
def list_reviews(ctx: click.Context, as_json: bool) -> None:
    """List the reviews that wait for people."""
    at = engine(ctx)
    reviews = reviews_in(at.ledger)
    if as_json:
        print_json(reviews)
        return
    print_table(
        ["episode", "title", "branch", "opened"],
        [(r.episode, r.title, r.branch, ago(r.opened_at) if r.opened_at else "") for r in reviews],
        long=("title", "branch"),
    )


@review.command("open")
@click.argument("episode", nargs=-1)
@config_option
@click.pass_context
def open_reviews(ctx: click.Context, episode: tuple[str, ...]) -> None:
    """Open the reviews that could not be opened when their transcript was made."""
    at = engine(ctx, acting=True)
    failed = False
    for reference in episode or _unopened(at):
        try:
            _open(at, find_episode(at.ledger, reference))
        except ProofcastError as error:
            say(f"proofcast: {reference}: {error}")
            failed = True
    if not start_workers(at) or failed:
        ctx.exit(1)


def _unopened(at: Engine) -> list[str]:
    failed = [episode for episode in at.ledger.episodes(state=State.FAILED) if _failed_to_open(episode)]
    return [episode.id for episode in (*at.ledger.episodes(state=State.TRANSCRIBED), *failed)]


def _failed_to_open(episode: Episode) -> bool:
    failure = episode.failure
    return episode.state is State.FAILED and failure is not None and failure.step is Step.REVIEW


def _open(at: Engine, episode: Episode) -> None:
    """Open it, or have a worker open it. Raises ProofcastError."""
    if _failed_to_open(episode):
        retry(at.ledger, at.queue, at.artifacts, at.clock, episode)
        click.echo(f"{episode.id}: queued, a worker opens its review")
        return
    if episode.state is not State.TRANSCRIBED:
        raise IllegalMove(f"it is {episode.state}, there is no review to open")
    if episode.claim and episode.claim.until > at.clock():
        say(f"{episode.id}: {episode.claim.worker} is just at it")
        return
    opened = at.publisher.publish(Handle(at.ledger, episode))
    click.echo(f"{opened.id}: {opened.review.url if opened.review else opened.state}")


@review.command()
@config_option
@json_option
@click.pass_context
def sync(ctx: click.Context, as_json: bool) -> None:
    """Read the reviews' state back: merged is published, closed is rejected."""
    at = engine(ctx, acting=True)
    changed: list[Episode] = []
    failed = False
    for episode in at.ledger.episodes(state=State.IN_REVIEW):
        try:
            synced = at.publisher.sync(Handle(at.ledger, episode))
        except ProofcastError as error:
            say(f"proofcast: {episode.id}: {error}")
            failed = True
            continue
        if synced.state is not State.IN_REVIEW:
            changed.append(synced)
    if as_json:
        print_json([episode_row(episode, at.artifacts) for episode in changed])
    else:
        for episode in changed:
            click.echo(f"{episode.id}: {episode.state}")
    if failed:
        ctx.exit(1)
