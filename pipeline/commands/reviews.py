"""`proofcast review`: what waits for people, and what became of it."""

from __future__ import annotations

import click

from pipeline.console import ago, config_option, engine, json_option, print_json, print_table, say
from pipeline.errors import CodeHostError, Conflict, ProofcastError
from pipeline.handle import Handle
from pipeline.model import Episode, State
from pipeline.status import episode_row, find_episode, read_status
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
    reviews = read_status(at.ledger, at.queue, at.fleet, at.clock()).reviews
    if as_json:
        print_json(reviews)
        return
    print_table(
        ["episode", "title", "branch", "opened"],
        [(r.episode, r.title[:50], r.branch, ago(r.opened_at) if r.opened_at else "") for r in reviews],
        long=("title", "branch"),
    )


@review.command("open")
@click.argument("episode", nargs=-1)
@config_option
@click.pass_context
def open_reviews(ctx: click.Context, episode: tuple[str, ...]) -> None:
    """Open the reviews that could not be opened when their transcript was made."""
    at = engine(ctx)
    waiting = (
        [find_episode(at.ledger, reference) for reference in episode]
        if episode
        else at.ledger.episodes(state=State.TRANSCRIBED)
    )
    failed = False
    for found in waiting:
        failed |= not _open(at, found)
    if failed:
        ctx.exit(1)


def _open(at: Engine, episode: Episode) -> bool:
    if episode.state is not State.TRANSCRIBED:
        say(f"{episode.id} is {episode.state}: there is no review to open")
        return False
    if episode.claim and episode.claim.until > at.clock():
        say(f"{episode.id}: {episode.claim.worker} is just at it")
        return True
    try:
        opened = at.publisher.publish(Handle(at.ledger, episode))
    except ProofcastError as error:
        say(f"proofcast: {episode.id}: {error}")
        return False
    click.echo(f"{opened.id}: {opened.review.url if opened.review else opened.state}")
    return True


@review.command()
@config_option
@json_option
@click.pass_context
def sync(ctx: click.Context, as_json: bool) -> None:
    """Read the reviews' state back: merged is published, closed is rejected."""
    at = engine(ctx)
    changed: list[Episode] = []
    failed = False
    for episode in at.ledger.episodes(state=State.IN_REVIEW):
        try:
            synced = at.publisher.sync(Handle(at.ledger, episode))
        except (CodeHostError, Conflict) as error:
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
