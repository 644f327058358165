"""Deployments of many kinds, synthesised once: one app with the stacks of all, checked by cdk-nag."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.config import Aws, Config, Feed, Refine
from pipeline.deployment import Deployment

REFINED = {
    "nat": Refine(model="eu.anthropic.some-model-v1:0"),
    "service": Refine(model="amazon.some-model-v1:0", region="us-east-1"),
}

KINDS: Mapping[str, dict[str, Any]] = {
    "proofcast": {},
    "twin": {},
    "nat": {"network": "nat", "market": "on-demand", "instance_types": ["g6.xlarge"]},
    "endpoints": {"network": "endpoints", "market": "spot", "scale_in_after_s": 300},
    "service": {"dispatch": "service", "market": "on-demand-first", "max_workers": 9},
    "all-of-it-twenty-four-ch": {
        "region": "us-west-1",
        "shared": True,
        "local_storage": True,
        "audio_days": 0,
        "notify": "me@example.com",
        "budget_usd": 20,
        "tags": {"team": "audio"},
        "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine/worker:1",
    },
}


@dataclass(frozen=True)
class Template:
    """A template as CloudFormation gets it."""

    document: dict[str, Any]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """The properties of every resource of a kind, such as `ECS::Service`."""
        return [resource.get("Properties", {}) for resource in self.resources(kind)]

    def one(self, kind: str) -> dict[str, Any]:
        (properties,) = self.all(kind)
        return properties

    def resources(self, kind: str = "") -> list[dict[str, Any]]:
        every: list[dict[str, Any]] = list(self.document["Resources"].values())
        return [resource for resource in every if not kind or resource["Type"] == f"AWS::{kind}"]

    @cached_property
    def statements(self) -> list[dict[str, Any]]:
        """Every statement of every role's policies, its actions and resources as lists of text."""
        found: list[dict[str, Any]] = []
        for policy in self.all("IAM::Policy"):
            for statement in policy["PolicyDocument"]["Statement"]:
                lists = {key: _texts(statement[key]) for key in ("Action", "Resource")}
                found.append({**statement, **lists, "Roles": policy["Roles"]})
        return found


def text(value: Any) -> str:
    """Text with `<Name>` for what is known only on AWS."""
    if isinstance(value, str):
        return value
    if "Fn::Sub" in value:
        return value["Fn::Sub"]
    if "Fn::Join" in value:
        return "".join(map(text, value["Fn::Join"][1]))
    if "Fn::GetAtt" in value:
        return f"<{'.'.join(value['Fn::GetAtt'])}>"
    return f"<{next(iter(value.values()))}>"


def _texts(value: Any) -> list[str]:
    return [text(each) for each in (value if isinstance(value, list) else [value])]  # pyright: ignore[reportUnknownVariableType]


@dataclass(frozen=True)
class Site:
    """What was synthesised, by deployment."""

    folder: Path
    configs: Mapping[str, Config]

    def names(self, kind: str) -> Deployment:
        return Deployment(kind, self.settings(kind).region)

    def settings(self, kind: str) -> Aws:
        settings = self.configs[kind].aws
        assert settings
        return settings

    def stack(self, kind: str = "proofcast") -> Template:
        return self._templates[kind]

    def data(self, kind: str = "proofcast") -> Template:
        return self._templates[f"{kind}-data"]

    def both(self) -> Iterator[tuple[str, Template]]:
        """Each deployment's two templates."""
        for kind in self.configs:
            yield kind, self.data(kind)
            yield kind, self.stack(kind)

    def path(self, stack: str) -> Path:
        return self.folder / f"{stack}.template.json"

    @property
    def nag(self) -> list[Any]:
        """What cdk-nag found."""
        report = json.loads((self.folder / "validation-report.json").read_text())
        return report["pluginReports"]

    @cached_property
    def _templates(self) -> Mapping[str, Template]:
        names = [name for kind in self.configs for name in (kind, f"{kind}-data")]
        return {name: Template(json.loads(self.path(name).read_text())) for name in names}


def config_for(name: str, folder: Path, **settings: Any) -> Config:
    """An AWS config."""
    aws = msgspec.convert({"region": "eu-west-1", "name": name, **settings}, Aws)
    feed = Feed(name="show", url="https://example.com/feed.xml", repository="https://github.com/a/b")
    refine = REFINED.get(name, Refine())
    return Config(engine="aws", aws=aws, feed=[feed], root=str(folder), refine=refine)


@pytest.fixture(scope="session")
def infra_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    from infra import app, package, stack  # first of all: it says which Node.js CDK starts

    # isort: split
    import aws_cdk
    import cdk_nag

    folder = tmp_path_factory.mktemp("infra")
    configs = {kind: config_for(kind, folder, **settings) for kind, settings in KINDS.items()}
    config_file = folder / "proofcast.toml"
    config_file.write_text("# what is in it is of no concern here\n")
    functions = package.functions(folder / "functions")
    cdk = aws_cdk.App(outdir=str(folder / "assembly"), analytics_reporting=False, context=app.CONTEXT)
    for kind, config in configs.items():
        parts = stack.Parts(
            config_file=config_file,
            functions=functions,
            image=app.image(config, folder / kind),
            code=package.code_hash(),
        )
        app.add_stacks(cdk, config, parts)
    aws_cdk.Validations.of(cdk).add_plugins(cdk_nag.AwsSolutionsChecks(cdk))
    try:
        cdk.synth()
    except RuntimeError as error:
        if "Validation failed" not in str(error):  # what cdk-nag found is a test's matter
            raise
    return Site(folder / "assembly", configs)
