"""The commands that need a speech model: `transcribe` and `work`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import click
import msgspec

from pipeline import config as configs
from pipeline.console import config_option, engine, one_line, say
from pipeline.errors import ConfigError
from pipeline.formats import written
from pipeline.vocabulary import Vocabulary, read_vocabulary
from pipeline.wiring import Engine
from worker.handlers import handler_named
from worker.hearing import AudioFile
from worker.quality import in_a_line
from worker.run import work as run
from worker.run import work_many
from worker.transcribing import Scribe, Show
from worker.watching import PLAIN, BarWatch, LogWatch, log_to_stderr

_KINDS = ("json", "vtt", "srt", "txt", "md")


@click.command()
@click.argument("audio", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Write files there.")
@click.option("--format", "formats", help="Of json,vtt,srt,txt,md (default: txt; with -o: all of them).")
@click.option("--model", help="Any faster-whisper model or a folder; 'packaged' for the small one inside.")
@click.option("--language", metavar="CODE", help="Such as 'en' (default: detected).")
@click.option("--speakers", type=click.IntRange(min=1), help="How many there are (default: found out).")
@click.option(
    "--vocabulary",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A show's own words (docs/transcripts.md).",
)
@config_option
@click.pass_context
def transcribe(
    ctx: click.Context,
    audio: Path,
    output: Path | None,
    formats: str | None,
    model: str | None,
    language: str | None,
    speakers: int | None,
    vocabulary: Path | None,
) -> None:
    """Transcribe one AUDIO file, to try it out: no feed, no queue, no review.

    Prints the transcript, or writes one file for each format into the folder given with -o.
    """
    kinds = _kinds(formats, output)
    at = _engine(ctx)
    config = at.config if at else configs.Config()
    if model:
        settings = msgspec.structs.replace(config.transcribe, model=model)
        config = msgspec.structs.replace(config, transcribe=settings)
    show = Show(
        language=language,
        fewest=speakers or 1,
        most=speakers or configs.Feed(name="any").max_speakers,
        vocabulary=_words(vocabulary),
    )
    if output:
        output.mkdir(parents=True, exist_ok=True)
    with BarWatch() if sys.stderr.isatty() else nullcontext(LogWatch()) as watch:
        watch.begin(audio.name)
        ask = at.language_model if at else None
        scribe = Scribe(config, say, lambda done, total: watch.progress(done, total, 0.0), ask)
        made = scribe.transcript(AudioFile(audio, one_line(audio.stem), watch.progress), show).transcript
    say(in_a_line(made.quality))
    if output is None:
        click.echo(written(kinds[0], made, config.captions).encode(), nl=False)  # UTF-8, as its files are
        return
    for kind in kinds:
        path = output / f"{audio.stem}.{kind}"
        path.write_text(written(kind, made, config.captions), encoding="utf-8")
        click.echo(os.fsencode(path))


def _kinds(formats: str | None, output: Path | None) -> Sequence[str]:
    kinds: Sequence[str] = ("txt",)
    if formats:
        kinds = formats.split(",")
    elif output:
        kinds = _KINDS
    for kind in kinds:
        if kind not in _KINDS:
            raise click.BadParameter(f"'{kind}' is none of {', '.join(_KINDS)}", param_hint="--format")
    if output is None and len(kinds) > 1:
        raise click.UsageError("several formats need a folder for their files: -o DIR")
    return kinds


def _engine(ctx: click.Context) -> Engine | None:
    """That of the config, where there is one: this command does without."""
    try:
        configs.find(ctx.meta.get("config"))
    except ConfigError:
        return None
    return engine(ctx)


def _words(path: Path | None) -> Vocabulary:
    if path is None:
        return Vocabulary()
    try:
        return read_vocabulary(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from None


@click.command()
@click.option("--drain", is_flag=True, help="End when nothing is ready.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, help="So many workers (default: 1).")
@config_option
@click.pass_context
def work(ctx: click.Context, drain: bool, jobs: int) -> None:
    """Work on the queue: download, transcribe, open reviews.

    Stays until it is told to end (Ctrl-C, SIGTERM: the job in hand is given back), or with --drain
    until nothing is ready: what failed and may yet succeed waits for its next try. Exit code 1 when an
    episode failed, 75 when a worker is running already.
    """
    at = engine(ctx, acting=True)
    bars = jobs == 1 and sys.stderr.isatty()
    if not bars:
        log_to_stderr(PLAIN)
    with at.working():
        if jobs > 1:
            well = work_many(at, jobs, drain)
        else:
            with BarWatch() if bars else nullcontext(LogWatch()) as watch:
                handler = handler_named(at.config.worker.handler, at, say, watch)
                well = run(at, handler, task_id=None, drain=drain, watch=watch).well
    waiting = at.queue.depth().waiting if drain else 0
    if at.held():
        say("the month's budget is used up, so nothing new is begun: 'proofcast status' says more")
    elif waiting:
        say(f"jobs that wait for another try: {waiting} ('proofcast work --drain' in a while)")
    if not well:
        say("not everything worked out: 'proofcast episodes' says what and why")
        ctx.exit(1)
