"""CDK's command line, which does the deploying, and what it needs on this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from infra.node import node
from pipeline.deployment import HOW_TO_INSTALL
from pipeline.errors import ConfigError, ProofcastError

_OLDEST = (2, 1148)
_FETCHED = "2.1148.1"  #: npm's newest is a stray 3.0.0, which can't read our assemblies
_UNPREPARED = re.compile(
    r"has the environment been bootstrapped|bootstrap stack|cdk bootstrap", re.IGNORECASE
)


def check(*, builds: bool) -> None:
    """Say what is missing here before anything is begun. Raises ConfigError."""
    for module, what in {"aws_cdk": "aws-cdk-lib", "boto3": "boto3"}.items():
        if not find_spec(module):
            raise ConfigError(f"deploying needs {what}, which is not installed", HOW_TO_INSTALL)
    if not node():
        raise ConfigError("deploying needs Node.js, which is not here", HOW_TO_INSTALL)
    if builds:
        _check_docker(os.environ.get("CDK_DOCKER", "docker"))  # as CDK itself finds it


def _check_docker(docker: str) -> None:
    if not shutil.which(docker):
        raise ConfigError(
            f"the worker's image is built with {docker}, which is not here",
            "install Docker, set CDK_DOCKER to what you have, or name an image: image under [aws]",
        )

    if subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        raise ConfigError(
            f"{docker} is here, but does not answer: the worker's image can't be built",
            "start its engine, or name an image: image under [aws]",
        )


def run(arguments: Sequence[str], region: str, assembly: Path | None = None) -> None:
    """Run a command of CDK's, mostly on an assembly; all that it says is passed on. Raises ProofcastError."""
    app = ["--app", str(assembly)] if assembly else []
    command = [*cdk(), *arguments, *app, "--no-notices", "--no-version-reporting"]
    environment = {**os.environ, "PATH": _path(), "AWS_REGION": region, "CDK_DISABLE_CLI_TELEMETRY": "true"}
    said: list[str] = []
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stderr
        for line in process.stderr:
            sys.stderr.write(line)
            said.append(line)
    if process.returncode == 0:
        return
    text = "".join(said)
    if _UNPREPARED.search(text):
        raise ProofcastError(
            f"CDK was never set up for this account in {region}", "once: proofcast deploy --bootstrap"
        )
    raise ProofcastError("CDK could not do it: what it says is above", "mend that, then run again")


def cdk() -> list[str]:
    """How to call it: the machine's own if it is new enough, else one that npx fetches."""
    own = shutil.which("cdk")
    if own and _version_of(own) >= _OLDEST:
        return [own]
    return [*_npx(), "--yes", f"aws-cdk@{_FETCHED}"]


def _version_of(cdk: str) -> tuple[int, ...]:
    said = subprocess.run([cdk, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"(\d+)\.(\d+)", said)
    # A 3.x is the stray one.
    return (int(found[1]), int(found[2])) if found and found[1] == "2" else (0,)


def _npx() -> list[str]:
    found = node()
    assert found
    script = Path(found).parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npx-cli.js"
    if script.is_file():  # beside the Node.js that was installed with us, whose own npx is broken
        return [found, str(script)]
    npx = shutil.which("npx")
    if npx is None:
        raise ConfigError("deploying needs npx, which is not here", HOW_TO_INSTALL)
    return [npx]


def _path() -> str:
    """With our Node.js first: scripts that npx runs look for it there."""
    found = node()
    assert found
    return os.pathsep.join([str(Path(found).parent), os.environ.get("PATH", "")])
