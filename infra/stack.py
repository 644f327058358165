"""The stack of what works: it can be destroyed and deployed again, and nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Environment, Stack
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from infra.access import Access
from infra.capacity import Capacity
from infra.data import DataStack
from infra.functions import Functions
from infra.network import Network
from infra.package import CODE, MODEL, VERSION
from infra.tasks import Image, Service, Worker
from infra.watch import Watch
from pipeline import __version__
from pipeline.config import Aws as Settings
from pipeline.config import Refine
from pipeline.deployment import CONFIG_VARIABLE, Deployment


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a deployment is made from, besides its settings."""

    config_file: Path
    functions: Path  #: the functions' code
    image: Image
    code: str  #: `package.code_hash()`


class ProofcastStack(Stack):
    """Everything but the data."""

    def __init__(
        self,
        scope: Construct,
        aws: Settings,
        names: Deployment,
        data: DataStack,
        parts: Parts,
        refine: Refine,
    ) -> None:
        super().__init__(
            scope,
            names.stack,
            env=Environment(region=aws.region),
            description=f"Proofcast {__version__}: workers and functions of {names.name}",
        )
        self.add_stack_dependency(data)
        # The bucket of assets holds other things too, so only this one object may be read.
        config = s3_assets.Asset(self, "Config", path=str(parts.config_file))
        config_arn = config.bucket.arn_for_objects(config.s3_object_key)
        access = Access(self, names, data.secret_arn, config_arn)
        environment = {VERSION: __version__, CODE: parts.code}
        # In an image of one's own the model is whatever it is.
        model = {} if parts.image.uri else {MODEL: parts.image.model}
        capacity = Capacity(self, aws, names, Network(self, aws))
        worker = Worker(self, aws, names, parts.image, config.s3_object_url, environment | model)
        access.work(worker.role)
        if refine.model:
            access.ask(worker.role, refine.model, refine.region or aws.region)
        if aws.dispatch == "service":
            Service(self, aws, names, capacity, worker, access)
        functions = Functions(
            self,
            names,
            parts.functions,
            access,
            worker,
            stream_arn=data.stream_arn,
            poll_min=aws.poll_min,
            environment={**environment, CONFIG_VARIABLE: config.s3_object_url},
        )
        Watch(self, aws, names, functions)
