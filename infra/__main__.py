"""`python -m infra`: write a config's cloud assembly, offline, for people who look before they deploy."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from infra import package, toolkit
from pipeline import config as configs
from pipeline.cli import complain
from pipeline.errors import ConfigError, ProofcastError


@click.command()
@click.argument("config", required=False)
@click.option("--output", type=click.Path(path_type=Path), default="cdk.out", show_default=True)
@click.option(
    "--packaged", is_flag=True, help="With the functions' packages, fit to be deployed; not offline."
)
def main(config: str | None, output: Path, packaged: bool) -> None:
    """Write the templates and assets of CONFIG (default: ./proofcast.toml) into a folder.

    CDK's command line deploys it, if it was written with --packaged: cdk deploy --all --app FOLDER.
    """
    try:
        toolkit.check(builds=False)
        from infra.app import write_assembly

        path = configs.find(config)
        functions = package.packaged_functions if packaged else package.functions
        loaded = configs.load(path)
        if loaded.engine != "aws":
            raise ConfigError(f"{path} is for the engine on this machine", 'set engine = "aws"')
        write_assembly(loaded, path, output, functions)
    except ProofcastError as error:
        complain(error)
        sys.exit(error.exit_code)
    click.echo(output)


if __name__ == "__main__":
    main()
