"""Commands that show episodes, and those that move them by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import click
import msgspec

from pipeline import queueing
from pipeline.console import (
    ago,
    clock,
    config_option,
    engine,
    held,
    json_option,
    one_line,
    print_json,
    print_table,
    say,
    start_workers,
    when,
)
from pipeline.dispatch import release_budget
from pipeline.errors import ConfigError, ProofcastError
from pipeline.model import Episode, Review, State
from pipeline.status import MonthCost, OpenReview, RunningTask, Status, episode_row, find_episode
from pipeline.wiring import Engine


@click.command()
@config_option
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Say what is going on: the queue, the workers, the reviews."""
    at = engine(ctx)
    now = at.status()
    if as_json:
        print_json(now)
    else:
        _print_status(now)


def _print_status(now: Status) -> None:
    queue = now.queue
    click.echo(f"queue     {queue.waiting} waiting, {queue.leased} being worked on, {queue.dead} given up")
    counts = ", ".join(f"{count} {state}" for state, count in sorted(now.episodes.items()))
    click.echo(f"episodes  {counts or 'none yet: proofcast poll'}")
    for task in now.tasks:
        click.echo(f"worker    {task.id} ({_where(task)}): {_doing(task)}")
    if now.cost.usd or now.cost.budget_usd:
        click.echo(f"cost      {_cost(now.cost)}")
    for hold in now.holds:
        click.echo(f"hold      {one_line(held(hold))}")
    for review in now.reviews:
        opened = f", {ago(review.opened_at)}" if review.opened_at else ""
        click.echo(f"review    {one_line(review.title)}: {_place_of(review)}{opened}")


def _cost(cost: MonthCost) -> str:
    running = f", {cost.running_usd:.2f} of it by instances that run" if cost.running_usd else ""
    if not cost.budget_usd:
        return f"US$ {cost.usd:.2f} in {cost.month}{running}"
    share = int(100 * cost.usd / cost.budget_usd)
    return f"US$ {cost.usd:.2f} of {cost.budget_usd:.2f} in {cost.month} ({share} %){running}"


def _where(task: RunningTask) -> str:
    return ", ".join(filter(None, (task.detail, task.type, task.zone, task.market)))


def _doing(task: RunningTask) -> str:
    if task.started_at is None:
        return f"asked for {ago(task.asked_at)}" + ("" if task.instance else ", waits for an instance")
    if not task.episode:
        return "idle"
    done = f", {clock(task.done_s)} of {clock(task.total_s)}" if task.done_s is not None else ""
    return f"{task.step or 'at work on'} {task.episode}{done}"


@click.command()
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only these.")
@click.option("--feed", metavar="NAME", help="Only this show's.")
@config_option
@json_option
@click.pass_context
def episodes(ctx: click.Context, state: str | None, feed: str | None, as_json: bool) -> None:
    """List episodes, newest first."""
    at = engine(ctx)
    if feed:
        at.config.feed_named(feed)
    found = at.ledger.episodes(state=State(state) if state else None, feed=feed)
    if as_json:
        print_json([episode_row(episode, at.artifacts) for episode in found])
        return
    print_table(
        ["id", "no", "title", "length", "state", "what"],
        [(e.id, e.number, e.title, clock(e.duration_s), e.state, _what(e)) for e in found],
        long=("title", "what"),
    )


def _what(episode: Episode) -> str:
    """The one thing that a list should say beside the state."""
    if episode.failure:
        return episode.failure.reason
    if episode.reason:
        return episode.reason
    if episode.review:
        return _place_of(episode.review)
    return episode.step or ""


def _place_of(review: Review | OpenReview) -> str:
    """Where people read it: a pull request's address, or a branch."""
    return review.url if _on_the_web(review) else review.branch


def _on_the_web(review: Review | OpenReview) -> bool:
    return "://" in review.url


@click.command()
@click.argument("episode")
@config_option
@json_option
@click.pass_context
def show(ctx: click.Context, episode: str, as_json: bool) -> None:
    """Tell everything about an EPISODE: an id, the start of one, or 'feed#number'."""
    at = engine(ctx)
    found = find_episode(at.ledger, episode)
    if as_json:
        row = msgspec.to_builtins(episode_row(found, at.artifacts), builtin_types=(Decimal,))
        events = msgspec.to_builtins(at.ledger.events(found.id))
        print_json({**row, "review": found.review, "events": events})
        return
    _print_episode(at, found)


def _print_episode(at: Engine, episode: Episode) -> None:
    facts = {
        "episode": episode.title,
        "id": episode.id,
        "number": episode.number,
        "published": when(episode.published),
        "length": clock(episode.duration_s),
        "audio": episode.enclosure.url if episode.enclosure else None,
        "state": episode.state,
        "why": episode.reason,
        "error": f"{episode.failure.step}: {episode.failure.reason}" if episode.failure else None,
        "attempts": episode.attempts or None,
        "review": episode.review.url if episode.review else None,
    }
    for name, value in facts.items():
        if value not in (None, ""):
            click.echo(f"{name:12}{one_line(str(value))}")
    for name, key in sorted(episode.artifacts.items()):
        click.echo(f"{name:12}{at.artifacts.place(key)}")
    click.echo("history")
    for event in at.ledger.events(episode.id):
        step = f" ({event.step})" if event.step else ""
        click.echo(f"  {when(event.at)}  {event.state}{step}  {one_line(event.detail)}".rstrip())
    if episode.review and episode.state is State.IN_REVIEW:
        review = episode.review
        diff = f"git -C {review.repository} diff {review.base}...{review.branch}"
        click.echo(f"to read it: {review.url if _on_the_web(review) else diff}")


def _each(
    ctx: click.Context, references: Sequence[str], verb: str, move: Callable[[Episode], Episode]
) -> None:
    """Move each episode once; one that can't be moved doesn't keep the others."""
    at = engine(ctx)
    seen: set[str] = set()
    failed = moved = False
    for reference in references:
        try:
            found = find_episode(at.ledger, reference)
            if found.id not in seen:
                seen.add(found.id)
                click.echo(f"{move(found).id}: {verb}")
                moved = True
        except ProofcastError as error:
            say(f"proofcast: {error}")
            failed = True
    if (moved and not start_workers(at)) or failed:
        ctx.exit(1)


@click.command()
@click.argument("episode", nargs=-1)
@click.option("--dead", is_flag=True, help="Everything that was given up (see 'status').")
@click.option("--number", type=click.IntRange(min=0), help="Give the one EPISODE this number.")
@config_option
@click.pass_context
def retry(ctx: click.Context, episode: tuple[str, ...], dead: bool, number: int | None) -> None:
    """Bring back EPISODEs that failed, were skipped or were rejected."""
    if not episode and not dead:
        raise click.UsageError("name an episode, or use --dead for all that were given up")
    if number is not None and (dead or len(episode) != 1):
        raise click.UsageError("--number is for one episode alone")
    at = engine(ctx)
    _each(
        ctx,
        [*episode, *(_given_up(at) if dead else [])],
        "queued",
        lambda found: queueing.retry(at.ledger, at.queue, at.artifacts, at.clock, found, number=number),
    )


def _given_up(at: Engine) -> list[str]:
    """The failed episodes whose jobs are on the dead-letter list."""
    found, forgotten = queueing.given_up(at.ledger, at.queue)
    for letter in forgotten:
        say(f"forgotten: a job of no episode that is known, {letter.job.episode_id}: {letter.reason}")
    return [episode.id for episode in found]


@click.command()
@click.argument("episode", nargs=-1, required=True)
@config_option
@click.pass_context
def skip(ctx: click.Context, episode: tuple[str, ...]) -> None:
    """Leave EPISODEs out; 'retry' brings them back."""
    at = engine(ctx)
    _each(ctx, episode, "skipped", lambda found: queueing.skip(at.ledger, at.queue, at.clock, found))


def _release_budget(at: Engine) -> None:
    """Raises ConfigError where there is none."""
    aws = at.config.aws
    if at.config.engine == "local" or aws is None or not aws.budget_usd:
        raise ConfigError("there is no budget", "budget_usd under [aws] sets a month's, on the AWS engine")
    released = release_budget(at.ledger, at.clock)
    click.echo(f"{released.month}: work goes on, whatever it costs; the next month has its budget again")


@click.command()
@click.argument("episode", nargs=-1)
@click.option("--feed", metavar="NAME", help="Everything held of this show.")
@click.option("--budget", is_flag=True, help="Let this month's work go on, whatever it costs.")
@config_option
@click.pass_context
def release(ctx: click.Context, episode: tuple[str, ...], feed: str | None, budget: bool) -> None:
    """Queue EPISODEs that a poll held back because so many were new at once."""
    at = engine(ctx)
    if not episode and not feed and not budget:
        raise click.UsageError("name an episode, a show with --feed, or the month's --budget")
    if budget:
        _release_budget(at)
    if not episode and not feed:
        if not start_workers(at):
            ctx.exit(1)
        return
    held = at.ledger.episodes(state=State.HELD, feed=at.config.feed_named(feed).name) if feed else []
    _each(
        ctx,
        [*episode, *(found.id for found in held)],
        "queued",
        lambda found: queueing.release(at.ledger, at.queue, at.clock, found),
    )
