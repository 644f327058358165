"""`proofcast deploy` and `proofcast destroy`: CDK's command line, called with what it needs."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from infra import package, toolkit
from pipeline import __version__
from pipeline import config as configs
from pipeline.config import Aws, Config
from pipeline.console import check_layouts, config_option, config_path, say
from pipeline.deployment import Deployment, deployment
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.adapters.aws.clients import Clients


@click.command()
@click.option("--diff", is_flag=True, help="Only show what would change.")
@click.option("--bootstrap", is_flag=True, help="Only set the account and region up for CDK, once.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@config_option
@click.pass_context
def deploy(ctx: click.Context, diff: bool, bootstrap: bool, yes: bool) -> None:
    """Put the AWS engine into an account, or bring it up to date.

    Shows what would change, asks, and has CDK do it. Needs credentials, an account that CDK was once
    set up for, and Docker, unless the config names an image.
    """
    path, config = _config(ctx)
    aws, names = deployment(config)
    if not (diff or bootstrap or yes or _somebody_is_there()):
        raise ConfigError("nobody is there to say yes", "--yes deploys without asking, --diff only shows")
    toolkit.check(builds=not (aws.image or diff or bootstrap))
    from infra import removal  # it needs boto3

    clients = _clients(aws)
    account = clients.account()  # credentials that are none are best told before the work begins
    if bootstrap:
        toolkit.run(["bootstrap", f"aws://{account}/{aws.region}"], aws.region)
        return
    with _assembly(path, config, packaged=True) as assembly:
        if diff or not yes:
            toolkit.run(["diff", "--method", "template"], aws.region, assembly)
        if diff:
            return
        if not (yes or click.confirm(f"Deploy '{names.name}' to {account}, {aws.region}?", err=True)):
            say("nothing was changed")
            ctx.exit(1)
        say("deploying: a first time takes some minutes, most of them the image")
        arguments = ["deploy", "--all", "--require-approval", "never", "--progress", "events"]
        toolkit.run(arguments, aws.region, assembly)
    removal.let_poller_go(clients, names)  # whom a killed `destroy` may hold
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
    from infra import removal  # it needs boto3

    clients = _clients(aws)
    if not (delete_data or removal.is_there(clients, names)):
        raise ConfigError(
            f"nothing of '{names.name}' runs in {names.region}, account {clients.account()}",
            "see name and region under [aws]; --delete-data removes what an earlier one kept",
        )
    if not _confirmed(names, delete_data, yes):
        say("nothing was touched")
        ctx.exit(1)
    with removal.poller_held(clients, names), _assembly(path, config, packaged=False) as assembly:
        say("ending the workers, if any: each has two minutes to give its job back")
        removal.stop_workers(clients, names)
        which = ["--all"] if delete_data else [names.stack, "--exclusively"]
        toolkit.run(["destroy", *which, "--force"], aws.region, assembly)
    if delete_data:
        removal.delete_data(clients, names)
        say("everything is gone")
    else:
        say("the data was kept: 'proofcast deploy' goes on with it")


def _clients(aws: Aws) -> Clients:
    from pipeline.adapters.aws.clients import Clients

    return Clients(__version__, aws.region)


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
        try:
            write_assembly(config, path, output, functions)
            yield output
        except KeyboardInterrupt:
            say("interrupted; what CloudFormation has begun, it goes on with")
            # Node.js was interrupted too, of which its Python side would complain at its end.
            atexit.register(os._exit, 130)
            raise


def _somebody_is_there() -> bool:
    return bool(sys.stdin and sys.stdin.isatty())


def _confirmed(names: Deployment, delete_data: bool, yes: bool) -> bool:
    if delete_data:
        say(f"this deletes all episodes, artifacts, jobs and the token of '{names.name}', for ever")
        return click.prompt("Type its name to go on", err=True) == names.name
    return yes or click.confirm(f"Destroy '{names.name}' in {names.region}? Its data is kept.", err=True)


def _say_what_next(aws: Aws, names: Deployment) -> None:
    say("next: give it the token for pull requests: run this, paste the token, end with Enter")
    say(
        '  read -rs TOKEN; printf %s "$TOKEN" | aws secretsmanager put-secret-value'
        f" --region {aws.region} --secret-id {names.github_token} --secret-string file:///dev/stdin"
    )
    if aws.notify:
        say(f"then: confirm the message that {aws.notify} got: else no alarm arrives there")
    if aws.budget_usd:
        say("then: activate the cost allocation tag 'proofcast:deployment' in the Billing console")
    say("then: 'proofcast doctor' checks everything")
