"""`proofcast init` and `proofcast doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import config as configs
from pipeline.console import config_option, engine, json_option, one_line, print_json
from pipeline.doctor import Finding, examine
from pipeline.errors import ConfigError
from pipeline.urls import split_web_url

TEMPLATE = """\
# Proofcast. Every line that is commented out shows its default.
# Paths are relative to this file. Check it with: proofcast doctor

# engine = "local"          # everything on this machine: SQLite, files, CPU or GPU, git
# data = "proofcast-data"   # ledger, audio, transcripts

{feed}
# [transcribe]
# model = "auto"            # a GPU: large-v3-turbo; a CPU: small. Any faster-whisper model or folder
# device = "auto"           # cpu, cuda
# compute_type = "auto"     # a GPU: float16; a CPU: int8
# beam_size = 5
# batch_size = 0            # passages at once: 1, one after another; 0, a CPU: 1, a GPU: 16
# vad = true                # hear only where somebody speaks
# hints = true              # tell the model the show's words, if it is one that they help
# threads = 0               # 0: one a core, at most 8

# [speakers]
# method = "built-in"       # "pyannote" (the extra of that name), "none"

# [refine]
# model = ""                # a language model on Amazon Bedrock that proposes corrections; none unless named

# [captions]
# line_chars = 42
# lines = 2
# max_s = 7
# speakers = "voices"       # "when-changes", "always", "never"
# highlight = "none"        # the word that is being said: "underline", "bold", "italic"

# [worker]
# lease_s = 60              # a worker that says nothing for so long has lost its job
# max_attempts = 3          # that failed, with a growing pause; then it goes to the dead-letter list
# max_download_mb = 2048
# idle_s = 0                # a worker that found nothing for so long ends; 0: it stays
# handler = "whisper"       # or one's own: docs/handlers.md

# A layout of your own: format = "path in the repository". Formats: json, vtt, srt, txt, md,
# awsbites-json, awsbites-vtt, podcast-json. Fields: {{number}}, {{slug}}, {{id}}, {{feed}}, {{season}}.
# [layout.my-site]
# vtt = "static/captions/{{number}}.vtt"
# md = "content/transcripts/{{slug}}.md"

# production = false        # true, above all tables: 'proofcast tui' only reads, unless started with --write

# With engine = "aws" everything runs in an AWS account (docs/deploy.md; docs/config.md has every setting):
# [aws]
# region = "eu-west-1"
# name = "proofcast"        # of the deployment
# market = "spot-first"     # on-demand-first, spot, on-demand
# max_workers = 4
# notify = ""               # an e-mail address for alarms
# budget_usd = 0            # a month's: beyond it no new work is begun; 0: none
"""

FEED = """\
[[feed]]
name = "my-show"            # a-z, 0-9 and '-': it becomes part of branch names
url = "{url}"
# language = "en"           # else: the feed's own, or detected
# backfill = "latest"       # of the episodes that are there now: "latest", "all", or a number
# repository = "../site"    # the site's git repository, or https://github.com/owner/name; else our own
# base = "main"             # the branch to propose to
# layout = "plain"          # plain, awsbites, podcast-namespace, or one of your own (below)
# speakers = []             # the names of who is heard in most episodes
# min_speakers = 1          # of an episode; the same twice: so many
# max_speakers = 12
# voice_profiles = false    # true: keep how the speakers sound, to name them in later episodes
# vocabulary = "vocabulary.toml"   # the show's own words, in the site's repository: docs/transcripts.md
"""


@click.command()
@click.argument("feed_url", required=False)
@config_option
@click.pass_context
def init(ctx: click.Context, feed_url: str | None) -> None:
    """Write a commented proofcast.toml, for the show at FEED_URL if one is given."""
    path = Path(ctx.meta.get("config") or configs.FILE_NAME)
    url = feed_url or "https://example.com/feed.xml"
    if split_web_url(url) is None or '"' in url or "\\" in url:
        raise ConfigError(f"'{url}' is not an address on the web", "it must begin with https:// or http://")
    feed = FEED.format(url=url)
    if not feed_url:
        feed = "".join(f"# {line}\n" for line in feed.splitlines())
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.format(feed=feed))
    except FileExistsError:
        raise ConfigError(f"{path} is there already", "edit it, or remove it first") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}") from None
    click.echo(path)
    following = "proofcast poll, then proofcast work --drain" if feed_url else "put your feed's address in it"
    click.echo(f"next: {following}", err=True)


_MARKS = {"ok": ("ok", "green"), "warning": ("look", "yellow"), "failed": ("FAIL", "red")}


@click.command()
@config_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check the whole set-up: config, data folder, git, layouts, model, feeds.

    With the AWS engine: credentials, quotas, instance types, prices, what is deployed and whether it is
    what is here, the token, the poller, and why no workers are started, if so. Exit code 1 if something
    fails.
    """
    at = engine(ctx)
    findings = [Finding(check="config", state="ok", found=str(at.config_file))]
    if not as_json:
        _print(findings[0])
    for finding in examine(at):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        print_json(findings)
    if any(finding.state == "failed" for finding in findings):
        ctx.exit(1)


def _print(finding: Finding) -> None:
    mark, colour = _MARKS[finding.state]
    click.echo(f"{click.style(f'{mark:5}', fg=colour)}{finding.check}: {one_line(finding.found)}")
    if finding.mend:
        click.echo(f"     -> {one_line(finding.mend)}")
