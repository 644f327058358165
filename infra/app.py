"""A config's stacks, and the cloud assembly that CDK's command line deploys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from aws_cdk import App, Tags

from infra import package
from infra.data import DataStack
from infra.stack import Parts, ProofcastStack
from infra.tasks import Image
from pipeline import __version__
from pipeline.config import Config
from pipeline.deployment import TAG, deployment
from pipeline.errors import ConfigError

# Data can't be removed under what works with it.
CONTEXT = {"@aws-cdk/core:defaultCrossStackReferences": "strong"}


def add_stacks(app: App, config: Config, parts: Parts) -> ProofcastStack:
    """Both stacks of a config. Raises ConfigError."""
    aws, names = deployment(config)
    data = DataStack(app, aws, names, __version__)
    stack = ProofcastStack(app, aws, names, data, parts, config.refine)
    for part in (data, stack):
        for key, value in {**aws.tags, TAG: names.name}.items():
            Tags.of(part).add(key, value)
    return stack


def write_assembly(
    config: Config, config_file: Path, output: Path, functions: Callable[[Path], Path] = package.functions
) -> None:
    """Write a config's cloud assembly; `functions` puts the functions' code into a folder.

    Nothing is asked or fetched, but for what `functions` does. Raises ConfigError.
    """
    _check_folder(output)
    with TemporaryDirectory(prefix="proofcast-") as folder:
        app = App(outdir=str(output.resolve()), analytics_reporting=False, context=CONTEXT)
        parts = Parts(
            config_file=config_file.resolve(),
            functions=functions(Path(folder, "functions")),
            image=image(config, Path(folder, "image")),
            code=package.code_hash(),
        )
        add_stacks(app, config, parts)
        app.synth()


def _check_folder(output: Path) -> None:
    """CDK's own complaint would be forty lines of its own code."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=output):
            pass
    except OSError as error:
        raise ConfigError(f"{output} can't be written: {error.strerror}", "name another --output") from None


def image(config: Config, folder: Path) -> Image:
    """The worker's image: the config's own, or what it is built from, in `folder`. Raises ConfigError."""
    aws, _ = deployment(config)
    model = config.transcribe.model
    if aws.image:
        return Image(uri=aws.image)
    if model.startswith((".", "/", "~")) or Path(config.root, model, "model.bin").is_file():
        raise ConfigError(
            f"the model '{model}' is a folder on this machine, which workers on AWS don't have",
            "name a model that can be downloaded, or an image of your own: image under [aws]",
        )
    return Image(context=package.image_context(folder), model=model)
