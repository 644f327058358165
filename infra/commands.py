"""`proofcast deploy` and `proofcast destroy`: CDK's command line, called with what it needs."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from infra import package, toolkit
from pipeline import __version__
from pipeline import config as configs
from pipeline.config import Aws, Config
from pipeline.console import check_layouts, config_option, config_path, say
from pipeline.deployment import Deployment, deployment
from pipeline.errors import ConfigError


@click.command()
@click.option("--diff", is_flag=True, help="Only show what would change.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@config_option
@click.pass_context
def deploy(ctx: click.Context, diff: bool, yes: bool) -> None:
    """Put the AWS engine into an account, or bring it up to date.

    Shows what would change, asks, and has CDK do it. Needs credentials, an account that CDK was once
    set up for, and Docker, unless the config names an image.
    """
    path, config = _config(ctx)
    aws, names = deployment(config)
    if not (diff or yes or _somebody_is_there()):
        raise ConfigError("nobody is there to say yes", "--yes deploys without asking, --diff only shows")
    toolkit.check(builds=not (aws.image or diff))
    with _assembly(path, config, packaged=True) as assembly:
        if diff or not yes:
            toolkit.run(assembly, ["diff", "--method", "template"], aws.region)
        if diff:
            return
        if not yes:
            click.confirm(f"Deploy '{names.name}' to {aws.region}?", abort=True, err=True)
        say("deploying: a first time takes some minutes, most of them the image")
        arguments = ["deploy", "--all", "--require-approval", "never", "--progress", "events"]
        toolkit.run(assembly, arguments, aws.region)
    from infra import removal  # it needs boto3
    from pipeline.adapters.aws.clients import Clients

    removal.let_poller_go(Clients(__version__, aws.region), names)  # whom a killed `destroy` may hold
    _say_what_next(aws, names)


@click.command()
@click.option("--delete-data", is_flag=True, help="Delete episodes, artifacts, jobs and the token as well.")
@click.option("--yes", is_flag=True, help="Don't ask, unless data is deleted.")
@config_option
@click.pass_context
def destroy(ctx: click.Context, delete_data: bool, yes: bool) -> None:
    """Take the AWS engine out of an account again.

    Workers are ended and give their jobs back. Episodes, artifacts, jobs and the token are kept, and
    'proofcast deploy' goes on with them; with --delete-data they are deleted, for ever.
    """
    path, config = _config(ctx)
    aws, names = deployment(config)
    toolkit.check(builds=False)
    _confirm_removal(names, delete_data, yes)
    from infra import removal  # it needs boto3
    from pipeline.adapters.aws.clients import Clients

    clients = Clients(__version__, aws.region)
    with removal.poller_held(clients, names), _assembly(path, config, packaged=False) as assembly:
        say("ending the workers, if any: each has two minutes to give its job back")
        removal.stop_workers(clients, names)
        which = ["--all"] if delete_data else [names.stack, "--exclusively"]
        toolkit.run(assembly, ["destroy", *which, "--force"], aws.region)
    if delete_data:
        removal.delete_data(clients, names)
        say("everything is gone")
    else:
        say("the data was kept: 'proofcast deploy' goes on with it")


def _config(ctx: click.Context) -> tuple[Path, Config]:
    path = config_path(ctx)
    config = configs.load(path)
    if config.engine != "aws":
        raise ConfigError(
            f"{path} is for the engine on this machine", 'set engine = "aws", and a region under [aws]'
        )
    check_layouts(config)
    return path, config


@contextmanager
def _assembly(path: Path, config: Config, *, packaged: bool) -> Generator[Path]:
    """The folder with all that CDK deploys, for a while."""
    from infra.app import write_assembly  # it needs aws_cdk, and starts Node.js

    with TemporaryDirectory(prefix="proofcast-") as folder:
        if packaged:
            say("packaging the functions")
        output = Path(folder, "assembly")
        functions = package.packaged_functions if packaged else package.functions
        write_assembly(config, path, output, functions)
        yield output


def _somebody_is_there() -> bool:
    return bool(sys.stdin and sys.stdin.isatty())


def _confirm_removal(names: Deployment, delete_data: bool, yes: bool) -> None:
    if delete_data:
        say(f"this deletes all episodes, artifacts, jobs and the token of '{names.name}', for ever")
        if click.prompt("Type its name to go on", err=True) != names.name:
            raise ConfigError("that is another name: nothing was touched")
    elif not yes:
        click.confirm(f"Destroy '{names.name}' in {names.region}? Its data is kept.", abort=True, err=True)


def _say_what_next(aws: Aws, names: Deployment) -> None:
    say("next: give it the token for pull requests: run this, paste the token, end with Ctrl-D")
    say(f"  aws secretsmanager put-secret-value --region {aws.region} --secret-id {names.github_token}")
    say("    --secret-string file:///dev/stdin")
    if aws.notify:
        say(f"then: confirm the message that {aws.notify} got: else no alarm arrives there")
    if aws.budget_usd:
        say("then: activate the cost allocation tag 'proofcast:deployment' in the Billing console")
    say("then: 'proofcast doctor' checks everything")
