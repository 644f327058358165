"""`proofcast demo`: the whole way on a bundled show, with real speech recognition and real git."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path

import click
import msgspec

from pipeline import config as configs
from pipeline import polling
from pipeline.console import clock, nearby, one_line, say
from pipeline.errors import Busy, ConfigError
from pipeline.formats import read_transcript
from pipeline.handle import Handle
from pipeline.model import Episode, State, Transcript
from pipeline.scoring import word_error_rate
from pipeline.urls import split_web_url
from pipeline.wiring import Engine, LocalEngine

_CONFIG = """\
# The demo's show, served on this machine while the demo runs. Your own: proofcast init
data = "proofcast-data"

[[feed]]
name = "sample-show"
url = "http://127.0.0.1:0/feed.xml"
backfill = "all"

[transcribe]
model = "packaged"

[worker]
lease_s = 6
"""
_ADDRESS = re.compile(r"""^(url\s*=\s*["']http://127\.0\.0\.1)[^/"']*""", re.MULTILINE)


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.pass_context
def demo(ctx: click.Context, folder: Path | None) -> None:
    """Show the whole way on a bundled sample show, offline.

    Serves its feed on loopback, polls it, transcribes with real Whisper, opens a review in a local git
    repository, and tells where everything is. Everything stays in DIR (default: proofcast-demo).
    """
    path = (folder or Path("proofcast-demo")).absolute() / configs.FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        as_file(files("pipeline.sample")) as show,
        _alone(path),
        _served(show, _port(path)) as port,
    ):
        engine = _engine(path, port)
        started = time.monotonic()
        result = polling.poll(engine.config.feed, engine.fetch_feed, engine.ledger, engine.clock)[0]
        engine.tend()
        if result.error:
            raise ConfigError(f"the sample feed could not be read: {result.error}")
        say(_polled(result, time.monotonic() - started))
        _work(engine)
        _sync(engine)
        failed = _tour(engine, show)
    if failed:
        ctx.exit(1)


def _polled(result: polling.FeedResult, seconds: float) -> str:
    if not result.new:
        return f"polled {result.url}: nothing new ({seconds:.1f} s)"
    return f"polled {result.url}: {result.new} new episodes, {result.queued} queued ({seconds:.1f} s)"


def _alone(path: Path) -> AbstractContextManager[None]:
    """The right to poll with the demo's data folder, before its config is written."""
    config = configs.load(path) if path.exists() else configs.Config(root=str(path.parent))
    return LocalEngine(config, path).polling()


def _engine(path: Path, port: int) -> LocalEngine:
    """The demo's own, on this port; what else its config says is left as it is."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    text = _ADDRESS.sub(rf"\g<1>:{port}", before or _CONFIG, count=1)
    if text != before:
        path.write_text(text, encoding="utf-8")
    return LocalEngine(configs.load(path), path)


def _port(path: Path) -> int:
    """The port of the last time, so that the episodes' addresses stay the same; or any free one."""
    if not path.exists():
        return 0
    config = configs.load(path)
    if [feed.name for feed in config.feed] != ["sample-show"] or not _ADDRESS.search(path.read_text("utf-8")):
        raise ConfigError(f"{path} is not the demo's", "choose another folder: proofcast demo DIR")
    url = split_web_url(config.feed[0].url)  # None for a port that is none
    port = (url.port if url else None) or 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


class _Show(SimpleHTTPRequestHandler):
    """Serves the sample show; the feed gets the server's own address, and a validator."""

    def do_GET(self) -> None:
        if self.path != "/feed.xml":
            super().do_GET()
            return
        host = f"http://{self.headers['Host']}"
        body = Path(self.directory, "feed.xml").read_text("utf-8").replace("{base_url}", host).encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        unchanged = self.headers.get("If-None-Match") == tag
        self.send_response(304 if unchanged else 200)
        self.send_header("ETag", tag)
        if not unchanged:
            self.send_header("Content-Type", "application/rss+xml; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not unchanged:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The demo says itself what happens."""


@contextmanager
def _served(show: Path, port: int) -> Generator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Show, directory=str(show)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _work(engine: LocalEngine) -> None:
    """Let a worker process empty the queue, and show how far it is."""
    depth = engine.queue.depth()
    if depth.waiting + depth.leased == 0:
        return
    task = engine.fleet.start(1)[0]
    say(f"started {task.id} ({task.detail}); its log: {nearby(engine.workers.log_file(task.id))}")
    with _bar() as show:
        while any(running.id == task.id for running in engine.fleet.tasks()):
            for episode in engine.ledger.episodes(state=State.TRANSCRIBING):
                show(episode)
            time.sleep(0.2)
    if engine.queue.depth().waiting:
        log = engine.workers.log_file(task.id)
        raise Busy("not everything could be done at once", f"run the demo again in a minute; see {log}")


@contextmanager
def _bar() -> Generator[Callable[[Episode], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)

        def show(episode: Episode) -> None:
            done = episode.progress.done_s if episode.progress else None
            told = f"{episode.step or 'waiting'} {one_line(episode.title)[:40]}"
            bars.update(task, description=told, completed=done or 0, total=episode.duration_s)

        yield show


def _sync(engine: Engine) -> None:
    for episode in engine.ledger.episodes(state=State.IN_REVIEW):
        engine.publisher.sync(Handle(engine.ledger, episode))


def _tour(engine: Engine, show: Path) -> bool:
    """What there is to look at now; says whether something failed."""
    # As it can be typed here: in a virtual environment that is not activated, that is a path.
    me = "proofcast" if shutil.which("proofcast") else nearby(Path(sys.argv[0]).absolute())
    found = sorted(engine.ledger.episodes(), key=lambda episode: episode.number or 0)
    for episode in found:
        _tell_episode(engine, episode, show)
    reviewed = [episode for episode in found if episode.state is State.IN_REVIEW]
    if reviewed and reviewed[-1].review:
        review = reviewed[-1].review
        click.echo("\nReview it as you review code:")
        site = nearby(review.repository)
        click.echo(f"  git -C {site} diff {review.base}...{review.branch}")
        click.echo("Merge it, and Proofcast notices:")
        click.echo(f"  git -C {site} merge {review.branch}")
        click.echo(f"  {me} review sync -c {nearby(engine.config_file)}")
    click.echo("Everything about an episode, with its history and files:")
    click.echo(f"  {me} show 'sample-show#1' -c {nearby(engine.config_file)}")
    click.echo("Next, a feed of your own:")
    click.echo(f"  {me} init https://example.com/feed.xml && {me} poll && {me} work --drain")
    return any(episode.state is State.FAILED for episode in found)


def _tell_episode(engine: Engine, episode: Episode, show: Path) -> None:
    click.echo(f"\n{click.style(one_line(episode.title), bold=True)}  [{episode.state}]")
    if episode.failure:
        click.echo(f"  {episode.failure.step}: {one_line(episode.failure.reason)}")
    key = episode.artifacts.get("transcript")
    data = engine.artifacts.get(key) if key else None
    if key is None or data is None:
        return
    transcript = read_transcript(data)
    for segment in transcript.segments[:3]:
        who = transcript.speakers.get(segment.speaker, "")
        click.echo(f"  {clock(segment.start):>5}  {one_line(who)}: {one_line(segment.text)}")
    click.echo(f"  …      {nearby(engine.artifacts.place(key))}")
    rate = _error_rate(transcript, show / f"episode-{episode.number}.json")
    click.echo(f"  {rate:.1%} of the words differ from the true text (word error rate)")
    click.echo(f"  {_times(engine, episode)}")
    if episode.review:
        click.echo(f"  branch {episode.review.branch} of {nearby(episode.review.repository)}")


def _error_rate(transcript: Transcript, truth: Path) -> float:
    turns = msgspec.json.decode(truth.read_bytes())["turns"]
    heard = " ".join(segment.text for segment in transcript.segments)
    return word_error_rate(" ".join(turn["text"] for turn in turns), heard)


def _times(engine: Engine, episode: Episode) -> str:
    """How long each step of the last attempt took, from the episode's own record."""
    spent: dict[str, float] = {}
    for event, following in pairwise(engine.ledger.events(episode.id)):
        if event.step and following.at >= event.at:
            spent[event.step] = spent.get(event.step, 0.0) + following.at - event.at
    return ", ".join(f"{step} {seconds:.1f} s" for step, seconds in spent.items())
