"""Checks that compare what is deployed with what is here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from infra.package import CODE, MODEL, VERSION, code_hash
from pipeline import __version__
from pipeline.doctor import Finding
from pipeline.doctor_aws import DEPLOY, facts
from pipeline.errors import StorageError
from pipeline.wiring import AwsEngine

if TYPE_CHECKING:
    from pipeline.adapters.aws.facts import WorkerTask


def config_in_use(engine: AwsEngine) -> Iterator[Finding]:
    """Workers read the config that is here."""
    url = config_url(_task(engine).command)
    there = facts(engine).content(url) if url else None
    yield config_finding(url, there, engine.config_file.read_bytes())


def config_url(command: Sequence[str]) -> str | None:
    """Which config a worker's command names."""
    for option, value in pairwise(command):
        if option == "--config" and value.startswith("s3://"):
            return value
    return None


def config_finding(url: str | None, there: bytes | None, mine: bytes) -> Finding:
    """What the difference between two files means, byte for byte: one is a copy of the other."""
    check = "config in use"
    if url is None:
        found = "the worker's task names none on S3: it was not deployed with this program"
        return Finding(check=check, state="warning", found=found, mend=DEPLOY)
    if there is None:
        return Finding(check=check, state="failed", found=f"{url} is gone: workers can't start", mend=DEPLOY)
    if there != mine:
        return Finding(
            check=check, state="warning", found="deployed from another proofcast.toml", mend=DEPLOY
        )
    return Finding(check=check, state="ok", found="the one that is here")


def image(engine: AwsEngine) -> Iterator[Finding]:
    """What workers are started from is in its registry."""
    uri = _task(engine).image
    yield image_finding(uri, facts(engine).has_image(uri), own=bool(engine.aws.image))


def image_finding(uri: str, there: bool | None, *, own: bool) -> Finding:
    """`there` is None where the registry is not ECR; `own`: the config names the image."""
    if there is None:
        return Finding(check="image", state="ok", found=f"{uri}, not looked at: it is not in ECR")
    if there:
        return Finding(check="image", state="ok", found=uri)
    mend = "push it, or name another: image under [aws]" if own else f"{DEPLOY}, which builds it anew"
    return Finding(check="image", state="failed", found=f"{uri} is not in its registry", mend=mend)


def code(engine: AwsEngine) -> Iterator[Finding]:
    """Workers run the code that is here; an image of one's own has whatever was put into it."""
    if engine.aws.image:
        return
    yield code_finding(_task(engine).environment, code_hash())


def code_finding(environment: Mapping[str, str], mine: str) -> Finding:
    """Versions are alike for all that is between two releases, so that a hash decides."""
    there = environment.get(CODE)
    if there == mine:
        return Finding(check="code", state="ok", found=f"{__version__} ({mine}), as here")
    theirs = f"{environment.get(VERSION, '?')} ({there})" if there else "code that their task does not name"
    found = f"workers run {theirs}; here is {__version__} ({mine})"
    return Finding(check="code", state="warning", found=found, mend=DEPLOY)


def model(engine: AwsEngine) -> Iterator[Finding]:
    """The model that the config asks for is the one in the image: another is fetched at every start."""
    there, wanted = _task(engine).environment.get(MODEL), engine.config.transcribe.model
    if engine.aws.image or there is None:
        return
    if there == wanted:
        yield Finding(check="model", state="ok", found=f"{wanted}, in the image")
    else:
        found = f"the image has '{there}', the config asks for '{wanted}'"
        yield Finding(check="model", state="warning", found=found, mend=DEPLOY)


def _task(engine: AwsEngine) -> WorkerTask:
    task = facts(engine).worker()
    if task is None:
        raise StorageError(f"there is no task definition {engine.names.worker}", DEPLOY)
    return task
