"""`proofcast doctor` of a deployment: each check when all is well, and in each way that it is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from infra import doctor as infra_doctor
from infra.package import code_hash
from pipeline import doctor, doctor_aws
from pipeline.adapters.aws.facts import SPOT_ROLE, InstanceType
from pipeline.config import Aws, load
from pipeline.doctor import Finding
from pipeline.errors import StorageError
from pipeline.model import Bill, BillItem, BudgetState, FeedState, Market, Price
from pipeline.queueing import relay
from pipeline.tariff import month_of
from pipeline.wiring import AwsEngine
from tests.aws_site import Obstacle, clients, serving
from tests.deployed_site import DeployedSite
from tests.fakes.aws_account import client
from tests.fakes.aws_prices import ON_DEMAND_G, SPOT_G
from tests.fakes.ecs import ACCOUNT, Capacity
from tests.fakes.github import STRANGER, TOKEN, FakeGitHub
from tests.scenes import queued
from tests.web import serving_folder

REGION = "us-east-1"
CONFIG = """
engine = "aws"
[aws]
region = "us-east-1"
name = "{name}"
{more}
[[feed]]
name = "show"
url = "{address}/feed.xml"
repository = "https://github.com/ann/site"
"""
FEED = '<rss version="2.0"><channel><title>Show</title><item><title>1. One</title></item></channel></rss>'
MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}


def xml_error(code: str, message: str = "") -> bytes:
    """As IAM and STS word it."""
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return f"<ErrorResponse>{error}</ErrorResponse>".encode()


def ec2_error(code: str, message: str = "") -> bytes:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return f"<Response><Errors>{error}</Errors><RequestID>0</RequestID></Response>".encode()


@dataclass
class Clinic:
    """A deployment that is examined, as `proofcast doctor` on some machine sees it."""

    site: DeployedSite
    folder: Path
    address: str
    hub: FakeGitHub
    engines: list[AwsEngine] = field(default_factory=list[AwsEngine])

    def engine(self, more: str = "", attempts: int = 2, feeds: bool = True) -> AwsEngine:
        """Of a config that says `more` under [aws]."""
        path = self.folder / "proofcast.toml"
        text = CONFIG.format(name=self.site.names.name, address=self.address, more=more)
        path.write_text(text if feeds else text.partition("[[feed]]")[0])
        engine = AwsEngine(load(path), path)
        engine.clients = clients(attempts)
        self.engines.append(engine)
        return engine

    def close(self) -> None:
        for engine in self.engines:
            for name in {"_http", "code_host"} & vars(engine).keys():
                vars(engine)[name].close()

    def boto(self, service: str) -> Any:
        return client(self.site.account.url, service)

    def define(self, **container: Any) -> None:
        """Register the worker's task again, with other settings of its container."""
        ecs = self.boto("ecs")
        said = ecs.describe_task_definition(taskDefinition=self.site.names.worker)["taskDefinition"]
        changed = {**said["containerDefinitions"][0], **container}
        ecs.register_task_definition(
            family=said["family"],
            requiresCompatibilities=said["requiresCompatibilities"],
            networkMode=said["networkMode"],
            containerDefinitions=[changed],
        )

    def say_in_environment(self, **pairs: str) -> None:
        self.define(environment=[{"name": name, "value": value} for name, value in pairs.items()])

    def upload_config(self, text: bytes | None = None) -> None:
        """And have the worker's task name it."""
        bucket, key = self.site.made.bucket, "assets/config.toml"
        text = text if text is not None else (self.folder / "proofcast.toml").read_bytes()
        self.boto("s3").put_object(Bucket=bucket, Key=key, Body=text)
        self.define(command=["python", "-m", "worker", "--config", f"s3://{bucket}/{key}", "--drain"])

    def push_image(self) -> None:
        names = self.site.names
        ecr = self.boto("ecr")
        with suppress(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName=names.worker)
        ecr.put_image(repositoryName=names.worker, imageManifest=json.dumps(MANIFEST), imageTag="latest")

    def polled(self, ago_s: float) -> None:
        self.site.ledger().record([], FeedState(name="show", polled_at=time.time() - ago_s))

    def deploy_all(self) -> None:
        """What a deployment has besides, once it is at work."""
        self.engine()
        self.upload_config()
        self.push_image()
        self.say_in_environment(PROOFCAST_CODE=code_hash(), PROOFCAST_VERSION="0.1.0", PROOFCAST_MODEL="auto")
        self.polled(60)

    @contextmanager
    def obstructed(self, aws_at: Callable[[str], None]) -> Generator[Obstacle]:
        """For engines that are made within."""
        obstacle = Obstacle(self.site.account)
        with serving(obstacle) as url:
            aws_at(url)
            yield obstacle
        aws_at(self.site.account.url)


@pytest.fixture
def clinic(
    deployed: DeployedSite, hub: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Clinic]:
    """Its clock is the machine's, since others than the test look at it."""
    monkeypatch.delenv("GITHUB_TOKEN")
    deployed.clock.now = time.time()
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "feed.xml").write_text(FEED)
    with serving_folder(folder) as address:
        clinic = Clinic(deployed, tmp_path, address, hub)
        yield clinic
        clinic.close()


@pytest.fixture
def spot_role(clinic: Clinic) -> Generator[None]:
    """The account has bought spot instances before."""
    iam = clinic.boto("iam")
    iam.create_role(RoleName=SPOT_ROLE, AssumeRolePolicyDocument="{}")
    yield
    iam.delete_role(RoleName=SPOT_ROLE)


def states(findings: Iterable[Finding]) -> dict[str, str]:
    """The worst of each check."""
    order = ["ok", "warning", "failed"]
    found: dict[str, str] = {}
    for each in findings:
        found[each.check] = max(found.get(each.check, "ok"), each.state, key=order.index)
    return found


def only(findings: Iterable[Finding]) -> Finding:
    (finding,) = findings
    assert finding.state == "ok" or finding.mend
    return finding


def bad(findings: Iterable[Finding]) -> Finding:
    """The one that is not ok."""
    return only(each for each in findings if each.state != "ok")


# All of it


def test_all_is_well(clinic: Clinic, spot_role: None) -> None:
    clinic.deploy_all()
    found = list(doctor.examine(clinic.engine()))
    assert [each for each in found if each.state != "ok"] == []
    assert {each.check for each in found} == {
        "credentials",
        "instance type g4dn.xlarge",
        "instance type g5.xlarge",
        "instance type g6.xlarge",
        "spot quota of G and VT",
        "on-demand quota of G and VT",
        "spot role",
        "prices",
        "deployment",
        "capacity provider for spot",
        "capacity provider for on-demand",
        "config in use",
        "image",
        "code",
        "model",
        "GitHub token",
        "repository of show",
        "poller",
        "dead letters",
        "workers",
        "feed show",
    }


def run(clinic: Clinic, *arguments: str, code: int) -> subprocess.CompletedProcess[bytes]:
    command = [str(Path(sys.executable).with_name("proofcast")), "doctor", *arguments]
    environment = {**os.environ, "HOME": str(clinic.folder), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=clinic.folder, env=environment, capture_output=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
    return done


def test_the_command_says_it_as_json_and_to_people(clinic: Clinic, spot_role: None) -> None:
    clinic.deploy_all()
    found = json.loads(run(clinic, "--json", code=0).stdout)
    assert {each["state"] for each in found} == {"ok"}
    assert found[0]["check"] == "config"
    assert ACCOUNT in found[1]["found"]

    clinic.site.account.quotas.values[SPOT_G] = 0
    clinic.site.account.prices.fail("GetProducts", "AccessDeniedException")
    found = json.loads(run(clinic, "--json", code=1).stdout)
    states = {each["check"]: each["state"] for each in found}
    assert states["spot quota of G and VT"] == "failed"
    assert all(each["mend"] for each in found if each["state"] != "ok")

    out = run(clinic, code=1).stdout.decode()
    assert "FAIL spot quota of G and VT" in out
    assert "-> aws service-quotas request-service-quota-increase" in out
    assert "proofcast doctor" not in out


def test_one_check_that_trips_does_not_keep_others_from_running(clinic: Clinic, spot_role: None) -> None:
    clinic.deploy_all()
    clinic.site.account.ecs.fail("DescribeCapacityProviders", "ServerException", "trouble", times=2)
    found = states(doctor.examine(clinic.engine(attempts=1)))
    assert {check: state for check, state in found.items() if state != "ok"} == {
        "capacity providers": "failed",
        "zones": "failed",
    }
    assert found["workers"] == "ok"


def test_expired_credentials_are_said_once(
    clinic: Clinic, aws_at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with clinic.obstructed(aws_at) as obstacle:
        obstacle.answer("POST", 403, xml_error("ExpiredToken", "The security token is expired"), times=9)
        found = list(doctor.examine(clinic.engine()))
    assert obstacle.requests == ["POST"]
    assert [(each.check, each.state) for each in found] == [
        ("credentials", "failed"),
        ("all else on AWS", "warning"),
        ("feed show", "ok"),
    ]
    assert "aws sso login" in found[0].mend
    assert "quotas" in found[1].found
    assert "dead letters" in found[1].found


def test_no_credentials_at_all(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    finding = next(doctor.examine(clinic.engine()))
    assert (finding.check, finding.state) == ("credentials", "failed")
    assert "aws sso login" in finding.mend


def test_without_boto3_it_says_what_to_install(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = clinic.engine()
    del engine.clients
    monkeypatch.setitem(sys.modules, "pipeline.adapters.aws.clients", None)
    finding = next(doctor.examine(engine))
    assert (finding.check, finding.state) == ("credentials", "failed")
    assert "pip install" in finding.mend


def test_before_a_deployment_the_account_is_looked_at(clinic: Clinic, spot_role: None) -> None:
    """Quotas take days: one asks before one deploys."""
    engine = clinic.engine()
    path = engine.config_file
    path.write_text(path.read_text().replace(clinic.site.names.name, "not-yet"))
    engine = AwsEngine(load(path), path)
    found = list(doctor.examine(engine))
    assert {check for check, state in states(found).items() if state == "failed"} == {"deployment"}
    assert states(found)["spot quota of G and VT"] == "ok"
    missing = next(each for each in found if each.check == "deployment")
    assert "proofcast deploy" in missing.mend
    assert ACCOUNT in missing.found
    for name in ("table not-yet-ledger", "queue not-yet-jobs,", "queue not-yet-jobs-dead", "cluster not-yet"):
        assert name in missing.found
    assert f"bucket not-yet-{ACCOUNT}-us-east-1" in missing.found
    assert "not looked at" in next(each for each in found if each.check == "all else on AWS").found


# The account


def test_types_that_are_offered_nowhere_are_named(clinic: Clinic) -> None:
    more = 'instance_types = ["g4dn.xlarge", "g5.xlarge", "g6.xlarge", "g9.xlarge"]'
    finding = bad(doctor_aws.instance_types(clinic.engine(more)))
    assert finding.state == "warning"
    assert "g9.xlarge" in finding.found
    assert "g6.xlarge" not in finding.found


def test_a_region_that_is_too_busy_or_that_one_may_not_ask(
    clinic: Clinic, aws_at: Callable[[str], None]
) -> None:
    clinic.site.account.throttle("ec2", 1)
    with pytest.raises(StorageError, match="more than it can take"):
        list(doctor_aws.instance_types(clinic.engine(attempts=1)))
    denied = ec2_error("UnauthorizedOperation", "You are not authorized to perform this operation.")
    with clinic.obstructed(aws_at) as obstacle:
        obstacle.answer("POST", 403, denied)
        with pytest.raises(StorageError, match="does not allow DescribeInstanceTypeOfferings"):
            list(doctor_aws.instance_types(clinic.engine()))


def kind(name: str, **facts: Any) -> InstanceType:
    usual: dict[str, Any] = {"vcpus": 4, "zones": frozenset({"eu-west-1a"})}
    return InstanceType(name=name, **{**usual, **facts})


ONE, TWO, THREE = (kind(f"g{n}.xlarge") for n in (4, 5, 6))


def aws(*types: InstanceType, **settings: Any) -> Aws:
    names = tuple(each.name for each in types)
    return msgspec.structs.replace(Aws(region="eu-west-1", instance_types=names), **settings)


@pytest.mark.parametrize(
    ("market", "offered", "worst"),
    [
        ("spot-first", [ONE, TWO, THREE], "ok"),
        ("spot-first", [ONE, TWO], "warning"),
        ("spot", [ONE], "warning"),
        ("on-demand-first", [ONE, TWO], "warning"),
        ("spot", [], "failed"),
        ("on-demand", [], "failed"),
    ],
)
def test_how_many_types_are_enough(market: str, offered: list[InstanceType], worst: str) -> None:
    found = list(doctor_aws.type_findings(aws(ONE, TWO, THREE, market=market), offered))
    assert states(found).get("instance types", "ok") == worst


def test_one_type_will_do_where_no_spot_is_bought() -> None:
    found = list(doctor_aws.type_findings(aws(ONE, market="on-demand"), [ONE]))
    assert states(found) == {"instance type g4.xlarge": "ok"}
    assert "eu-west-1a" in found[0].found


@pytest.mark.parametrize(
    ("unfit", "settings", "word"),
    [
        (kind("m5.large", gpus=0), {}, "GPU"),
        (kind("g5.12xlarge", gpus=4), {}, "shared"),
        (kind("g5.xlarge", disks=False), {"local_storage": True}, "local_storage"),
    ],
)
def test_types_that_are_never_bought_are_told_apart(
    unfit: InstanceType, settings: dict[str, Any], word: str
) -> None:
    found = list(doctor_aws.type_findings(aws(unfit, market="on-demand", **settings), [unfit]))
    assert states(found) == {f"instance type {unfit.name}": "warning", "instance types": "failed"}
    assert word in found[0].found + found[0].mend


def test_several_gpus_are_fine_where_workers_share_them() -> None:
    many = kind("g5.12xlarge", gpus=4)
    assert doctor_aws.unfit_for(many, aws(many, shared=True)) is None


@pytest.mark.parametrize(
    ("name", "market", "code"),
    [
        ("g4dn.xlarge", Market.ON_DEMAND, "L-DB2E81BA"),
        ("gr6.4xlarge", Market.SPOT, "L-3819A6DF"),
        ("p3.2xlarge", Market.ON_DEMAND, "L-417A185B"),
        ("p4d.24xlarge", Market.SPOT, "L-7212CCBC"),
        ("p5en.48xlarge", Market.ON_DEMAND, "L-417A185B"),
        ("p5.48xlarge", Market.SPOT, "L-C4BD4855"),
        ("trn1.2xlarge", Market.SPOT, ""),
    ],
)
def test_which_quota_counts(name: str, market: Market, code: str) -> None:
    assert doctor_aws.quota_of(name, market)[0] == code


def test_vcpus_for_all_workers_and_one_that_drains() -> None:
    assert doctor_aws.vcpus_needed([ONE], 4, shared=False) == 20
    assert doctor_aws.vcpus_needed([ONE, kind("g6.4xlarge", vcpus=16)], 4, shared=False) == 80
    many = kind("g5.12xlarge", vcpus=48, gpus=4)
    assert doctor_aws.vcpus_needed([many], 5, shared=True) == 48 * 3


@pytest.mark.parametrize(
    ("current", "state"), [(0, "failed"), (3, "failed"), (4, "warning"), (19, "warning"), (20, "ok")]
)
def test_quotas_of_either_market_by_themselves(clinic: Clinic, current: float, state: str) -> None:
    clinic.site.account.quotas.values[SPOT_G] = current
    found = {each.check: each for each in doctor_aws.quotas(clinic.engine())}
    assert found["on-demand quota of G and VT"].state == "ok"
    spot = found["spot quota of G and VT"]
    assert spot.state == state
    if state != "ok":
        command = (
            "aws service-quotas request-service-quota-increase --service-code ec2"
            " --quota-code L-3819A6DF --desired-value 20 --region us-east-1"
        )
        assert spot.mend.startswith(command)
        assert "support case" in spot.mend


def test_only_markets_that_are_bought_in_need_a_quota(clinic: Clinic) -> None:
    clinic.site.account.quotas.values[SPOT_G] = 0
    assert states(doctor_aws.quotas(clinic.engine('market = "on-demand"'))) == {
        "on-demand quota of G and VT": "ok"
    }


def test_a_quota_that_was_never_raised_is_everybodys(clinic: Clinic) -> None:
    quotas = clinic.site.account.quotas
    del quotas.values[ON_DEMAND_G]
    finding = bad(doctor_aws.quotas(clinic.engine()))
    assert (finding.check, finding.state) == ("on-demand quota of G and VT", "failed")
    assert finding.found.startswith("0 vCPUs")
    del quotas.defaults[ON_DEMAND_G]
    assert bad(doctor_aws.quotas(clinic.engine())).state == "warning"


def test_other_families_have_quotas_of_their_own(clinic: Clinic) -> None:
    clinic.site.account.quotas.values["L-417A185B"] = 96
    more = (
        'shared = true\nmarket = "on-demand"\ninstance_types = ["g6.xlarge", "p4d.24xlarge", "p5.48xlarge"]'
    )
    found = {each.check: each for each in doctor_aws.quotas(clinic.engine(more))}
    assert set(found) == {"on-demand quota of G and VT", "on-demand quota of P"}
    assert found["on-demand quota of P"].state == "warning"
    assert f"--desired-value {2 * 192} " in found["on-demand quota of P"].mend


@pytest.mark.parametrize(
    ("code", "words"),
    [("TooManyRequestsException", "more than it can take"), ("AccessDeniedException", "does not allow")],
)
def test_quotas_that_can_not_be_asked_for(clinic: Clinic, code: str, words: str) -> None:
    clinic.site.account.quotas.fail("GetServiceQuota", code)
    with pytest.raises(StorageError, match=words):
        list(doctor_aws.quotas(clinic.engine(attempts=1)))


def test_the_role_without_which_no_spot_is_bought(clinic: Clinic) -> None:
    finding = only(doctor_aws.spot_role(clinic.engine()))
    assert finding.state == "failed"
    assert finding.mend == "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"
    assert list(doctor_aws.spot_role(clinic.engine('market = "on-demand"'))) == []


def test_the_role_is_there(clinic: Clinic, spot_role: None) -> None:
    assert only(doctor_aws.spot_role(clinic.engine())).state == "ok"


def test_who_may_not_look_at_roles_is_warned(clinic: Clinic, aws_at: Callable[[str], None]) -> None:
    with clinic.obstructed(aws_at) as obstacle:
        obstacle.answer(
            "POST", 403, xml_error("AccessDenied", "is not authorized to perform: iam:GetRole on x")
        )
        finding = only(doctor_aws.spot_role(clinic.engine()))
    assert finding.state == "warning"
    assert "iam:GetRole" in finding.found
    assert "create-service-linked-role" in finding.mend


def test_prices_of_every_type(clinic: Clinic) -> None:
    found = list(doctor_aws.prices(clinic.engine()))
    assert [each.state for each in found] == ["ok", "ok", "ok"]
    assert found[2].found == "g6.xlarge: on-demand $0.80 + fee $0.06, spot $0.00001 an hour"
    found = list(doctor_aws.prices(clinic.engine('market = "on-demand"')))
    assert found[0].found == "g4dn.xlarge: on-demand $0.53 + fee $0.04 an hour"


@pytest.mark.parametrize(
    ("limit", "state", "words"),
    [("1000", "ok", "of 1000.00 spent in"), ("0.6", "warning", "%)"), ("0.01", "failed", "no new work")],
)
def test_what_is_left_of_the_budget(clinic: Clinic, limit: str, state: str, words: str) -> None:
    """Half a dollar was paid for an instance a minute ago."""
    engine = clinic.engine(f"budget_usd = {limit}")
    paid = BillItem(
        what="instance",
        quantity=Decimal(1),
        price=Price(usd=Decimal("0.5"), source="a list", at=0.0),
        usd=Decimal("0.5"),
    )
    now = engine.clock()
    bill = Bill(id="i-1", began_at=now - 60, ended_at=now - 1, items=(paid,), work_s={}, type="g6.xlarge")
    engine.ledger.enter(bill)
    if state == "failed":
        open_ = BudgetState(month=month_of(now))
        engine.ledger.keep_budget(replace(open_, held="it is spent"), open_)
    finding = only(doctor_aws.budget(engine))
    assert finding.state == state
    assert words in finding.found
    assert list(doctor_aws.budget(clinic.engine())) == []


def test_prices_in_words() -> None:
    def price(usd: str) -> Price:
        return Price(usd=Decimal(usd), source="", at=0)

    said = doctor_aws.price_in_words("g6.xlarge", price("0.8048"), None, price("0.31"), spot=True)
    assert said == "g6.xlarge: on-demand $0.80 + fee unknown, spot $0.31 an hour"


def test_a_type_without_a_price_is_a_warning(clinic: Clinic) -> None:
    account = clinic.site.account
    account.prices.products = [one for one in account.prices.products if "g5.xlarge" not in json.dumps(one)]
    finding = bad(doctor_aws.prices(clinic.engine()))
    assert finding.state == "warning"
    assert finding.found.startswith("g5.xlarge: on-demand unknown + fee unknown")


def test_a_price_list_that_can_not_be_asked_is_said_once(clinic: Clinic) -> None:
    clinic.site.account.prices.fail("GetProducts", "AccessDeniedException", times=9)
    finding = only(doctor_aws.prices(clinic.engine()))
    assert finding.state == "warning"
    assert "GetProducts" in finding.found


# The deployment


@pytest.mark.parametrize("part", ["table", "queue", "dead queue", "bucket"])
def test_each_part_that_is_missing_is_named(clinic: Clinic, part: str) -> None:
    names, made = clinic.site.names, clinic.site.made
    name = {"table": names.table, "queue": names.queue, "dead queue": names.dead_queue, "bucket": made.bucket}
    if part == "table":
        clinic.boto("dynamodb").delete_table(TableName=names.table)
    elif part == "bucket":
        clinic.boto("s3").delete_bucket(Bucket=made.bucket)
    else:
        url = made.queue_url if part == "queue" else made.dead_url
        clinic.boto("sqs").delete_queue(QueueUrl=url)
    finding = only(doctor_aws.deployment(clinic.engine()))
    assert finding.state == "failed"
    assert finding.found.endswith(f": {part.split()[-1]} {name[part]}")


def test_all_parts_are_there(clinic: Clinic) -> None:
    assert only(doctor_aws.deployment(clinic.engine())).state == "ok"


def test_with_dispatch_by_a_service_it_is_a_part(clinic: Clinic) -> None:
    finding = only(doctor_aws.deployment(clinic.engine('dispatch = "service"')))
    assert finding.found.endswith(f": service {clinic.site.names.service}")
    strategy = [{"capacityProvider": clinic.site.made.providers["SPOT"], "weight": 1}]
    clinic.boto("ecs").create_service(
        cluster=clinic.site.names.cluster,
        serviceName=clinic.site.names.service,
        taskDefinition=clinic.site.names.worker,
        capacityProviderStrategy=strategy,
        desiredCount=0,
    )
    assert only(doctor_aws.deployment(clinic.engine('dispatch = "service"'))).state == "ok"


def test_a_bucket_of_somebody_elses_is_not_taken_for_a_missing_one(
    clinic: Clinic, aws_at: Callable[[str], None]
) -> None:
    with clinic.obstructed(aws_at) as obstacle:
        obstacle.answer("HEAD", 403, b"")
        with pytest.raises(StorageError, match="does not allow HeadBucket on bucket"):
            list(doctor_aws.deployment(clinic.engine()))


@pytest.mark.parametrize(
    ("service", "what"),
    [
        ("sts", "AWS is asked for more"),
        ("dynamodb", "table pc-.*-ledger is asked for more"),
        ("sqs", "queue pc-.*-jobs is asked for more"),
        ("ecs", "cluster pc-.* is asked for more"),
        ("s3", "bucket pc-.* has trouble"),  # a HEAD is answered without a word
    ],
)
def test_services_that_are_too_busy_say_which(clinic: Clinic, service: str, what: str) -> None:
    clinic.site.account.throttle(service, 1)
    with pytest.raises(StorageError, match=what) as refused:
        list(doctor_aws.deployment(clinic.engine(attempts=1)))
    assert refused.value.hint


def providers(clinic: Clinic) -> dict[str, Any]:
    """The fake's own, by market."""
    ecs = cast(Any, clinic.site.account.ecs)
    return {
        market: ecs._providers[clinic.site.names.cluster, name]
        for market, name in clinic.site.made.providers.items()
    }


def test_a_market_without_a_provider(clinic: Clinic) -> None:
    providers(clinic)["SPOT"]["managedInstancesProvider"] = providers(clinic)["ON_DEMAND"][
        "managedInstancesProvider"
    ]
    template = providers(clinic)["SPOT"]["managedInstancesProvider"]["instanceLaunchTemplate"]
    assert template["capacityOptionType"] == "ON_DEMAND"
    finding = bad(doctor_aws.capacity_providers(clinic.engine()))
    assert (finding.check, finding.state) == ("capacity provider for spot", "failed")
    assert "proofcast deploy" in finding.mend
    assert states(doctor_aws.capacity_providers(clinic.engine('market = "on-demand"'))) == {
        "capacity provider for on-demand": "ok"
    }


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"status": "ACTIVE", "updateStatus": "CREATE_COMPLETE"}, "ok"),
        ({"status": "ACTIVE", "updateStatus": "UPDATE_FAILED"}, "warning"),
        ({"status": "PROVISIONING", "updateStatus": "CREATE_IN_PROGRESS"}, "failed"),
        ({"status": "INACTIVE", "updateStatus": "CREATE_FAILED"}, "failed"),
    ],
)
def test_a_provider_out_of_order_says_why(clinic: Clinic, facts: dict[str, str], state: str) -> None:
    providers(clinic)["SPOT"].update(facts, updateStatusReason="The role can't be assumed.")
    found = {each.check: each for each in doctor_aws.capacity_providers(clinic.engine())}
    assert found["capacity provider for on-demand"].state == "ok"
    spot = found["capacity provider for spot"]
    assert spot.state == state
    assert ("The role can't be assumed." in spot.found) is (state != "ok")


def test_types_that_the_deployments_zones_lack(clinic: Clinic) -> None:
    """vt1 is only to be had in two zones, of which e is none."""
    ec2 = clinic.boto("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24", AvailabilityZone="us-east-1f")["Subnet"]
    for provider in providers(clinic).values():
        network = provider["managedInstancesProvider"]["instanceLaunchTemplate"]["networkConfiguration"]
        network["subnets"] = [subnet["SubnetId"]]
    assert only(doctor_aws.zones(clinic.engine())).state == "ok"
    more = 'instance_types = ["g6.xlarge", "g5.xlarge", "g6e.xlarge"]'
    finding = only(doctor_aws.zones(clinic.engine(more)))
    assert finding.state == "warning"
    assert "us-east-1f: g6e.xlarge" in finding.found


def test_a_config_that_was_changed_since(clinic: Clinic) -> None:
    engine = clinic.engine()
    clinic.upload_config()
    assert only(infra_doctor.config_in_use(engine)).state == "ok"
    changed = clinic.engine("max_workers = 5")
    finding = only(infra_doctor.config_in_use(changed))
    assert (finding.state, finding.mend) == ("warning", "proofcast deploy")
    clinic.upload_config(changed.config_file.read_bytes() + b"\n")
    assert only(infra_doctor.config_in_use(changed)).state == "warning"


def test_a_config_that_is_gone(clinic: Clinic) -> None:
    engine = clinic.engine()
    clinic.upload_config()
    clinic.boto("s3").delete_object(Bucket=clinic.site.made.bucket, Key="assets/config.toml")
    finding = only(infra_doctor.config_in_use(engine))
    assert (finding.state, finding.mend) == ("failed", "proofcast deploy")
    clinic.define(command=["python", "-m", "worker", "--config", "s3://no-such-bucket-of-ours/config"])
    assert only(infra_doctor.config_in_use(engine)).state == "failed"
    clinic.define(command=["python", "-m", "worker", "--config"])
    assert only(infra_doctor.config_in_use(engine)).state == "warning"


def test_a_config_that_one_may_not_read(clinic: Clinic, aws_at: Callable[[str], None]) -> None:
    clinic.engine()
    clinic.upload_config()
    with clinic.obstructed(aws_at) as obstacle:
        obstacle.answer(
            "GET", 403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        )
        with pytest.raises(StorageError, match="does not allow GetObject on s3://"):
            list(infra_doctor.config_in_use(clinic.engine()))


def test_an_image_that_is_gone(clinic: Clinic) -> None:
    engine = clinic.engine()
    finding = only(infra_doctor.image(engine))
    assert finding.state == "failed"
    assert "proofcast deploy" in finding.mend
    clinic.push_image()
    assert only(infra_doctor.image(engine)).state == "ok"
    repository = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{clinic.site.names.worker}"
    clinic.define(image=f"{repository}:other")
    finding = only(infra_doctor.image(clinic.engine(f'image = "{repository}:other"')))
    assert finding.state == "failed"
    assert "push it" in finding.mend
    clinic.define(image=repository)
    assert only(infra_doctor.image(engine)).state == "ok"


def test_an_image_is_looked_for_by_its_digest_and_in_its_own_region(clinic: Clinic) -> None:
    ecr = client(clinic.site.account.url, "ecr", "eu-west-1")
    ecr.create_repository(repositoryName="elsewhere")
    pushed = ecr.put_image(repositoryName="elsewhere", imageManifest=json.dumps(MANIFEST), imageTag="1")
    digest = pushed["image"]["imageId"]["imageDigest"]
    repository = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/elsewhere"
    facts = doctor_aws.facts(clinic.engine())
    assert facts.has_image(f"{repository}:1")
    assert facts.has_image(f"{repository}@{digest}")
    assert facts.has_image(f"{repository}:moved@{digest}")
    assert not facts.has_image(f"{repository}@sha256:{'0' * 64}")
    assert not facts.has_image(f"{repository.replace('eu-west-1', 'us-east-1')}:1")
    ecr.delete_repository(repositoryName="elsewhere", force=True)


def test_an_image_elsewhere_is_not_looked_for(clinic: Clinic) -> None:
    clinic.define(image="ghcr.io/ann/worker:1")
    finding = only(infra_doctor.image(clinic.engine('image = "ghcr.io/ann/worker:1"')))
    assert finding.state == "ok"
    assert "not looked at" in finding.found


def test_a_registry_that_is_too_busy(clinic: Clinic) -> None:
    clinic.site.account.throttle("ecr", 1)
    with pytest.raises(StorageError, match="more than it can take"):
        list(infra_doctor.image(clinic.engine(attempts=1)))


def test_workers_with_other_code(clinic: Clinic) -> None:
    finding = only(infra_doctor.code(clinic.engine()))
    assert (finding.state, finding.mend) == ("warning", "proofcast deploy")
    clinic.say_in_environment(PROOFCAST_CODE="0123456789ab", PROOFCAST_VERSION="0.0.9")
    finding = only(infra_doctor.code(clinic.engine()))
    assert finding.state == "warning"
    assert "0.0.9 (0123456789ab)" in finding.found
    clinic.say_in_environment(PROOFCAST_CODE=code_hash())
    assert only(infra_doctor.code(clinic.engine())).state == "ok"
    assert list(infra_doctor.code(clinic.engine('image = "ghcr.io/ann/worker:1"'))) == []


def test_an_image_with_another_model(clinic: Clinic) -> None:
    assert list(infra_doctor.model(clinic.engine())) == []
    clinic.say_in_environment(PROOFCAST_MODEL="small")
    finding = only(infra_doctor.model(clinic.engine()))
    assert (finding.state, finding.mend) == ("warning", "proofcast deploy")
    assert "'small'" in finding.found
    clinic.say_in_environment(PROOFCAST_MODEL="auto")
    assert only(infra_doctor.model(clinic.engine())).state == "ok"
    assert list(infra_doctor.model(clinic.engine('image = "ghcr.io/ann/worker:1"'))) == []


# What it does


@pytest.mark.parametrize("secret", ["unset", "", None])
def test_without_a_token_nothing_is_asked_of_github(clinic: Clinic, secret: str | None) -> None:
    secrets, name = clinic.boto("secretsmanager"), clinic.site.names.github_token
    if secret is None:
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    else:
        secrets.put_secret_value(SecretId=name, SecretString=secret or " ")
    finding = only(doctor_aws.github(clinic.engine()))
    assert finding.state == "failed"
    assert f"aws secretsmanager put-secret-value --secret-id {name}" in finding.mend
    assert f"--region {REGION}" in finding.mend
    assert clinic.hub.calls == []


def test_a_token_of_this_machine_is_not_the_workers(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    assert states(doctor_aws.github(clinic.engine())) == {
        "GitHub token": "warning",
        "repository of show": "ok",
    }
    name = clinic.site.names.github_token
    clinic.boto("secretsmanager").put_secret_value(SecretId=name, SecretString="unset")
    found = list(doctor_aws.github(clinic.engine()))
    assert states(found) == {"GitHub token": "warning", "repository of show": "ok"}
    assert "put-secret-value" in found[0].mend


def test_a_token_that_does_not_open_the_repository(clinic: Clinic) -> None:
    name = clinic.site.names.github_token
    clinic.boto("secretsmanager").put_secret_value(SecretId=name, SecretString=STRANGER)
    finding = bad(doctor_aws.github(clinic.engine()))
    assert (finding.check, finding.state) == ("repository of show", "failed")
    assert STRANGER not in finding.found + finding.mend


def test_a_secret_that_can_not_be_read(clinic: Clinic) -> None:
    clinic.site.account.throttle("secretsmanager", 1)
    with pytest.raises(StorageError, match="more than it can take"):
        list(doctor_aws.github(clinic.engine(attempts=1)))


@pytest.mark.parametrize(("ago_s", "state"), [(10, "ok"), (14 * 60, "ok"), (16 * 60, "warning")])
def test_a_poller_that_is_late(clinic: Clinic, ago_s: float, state: str) -> None:
    clinic.polled(ago_s)
    finding = only(doctor_aws.poller(clinic.engine()))
    assert finding.state == state
    if state == "warning":
        log = clinic.site.names.poller_log
        assert log in finding.found
        assert f"aws logs tail {log}" in finding.mend
        assert only(doctor_aws.poller(clinic.engine("poll_min = 6"))).state == "ok"


def test_a_poller_that_never_polled(clinic: Clinic) -> None:
    finding = only(doctor_aws.poller(clinic.engine()))
    assert finding.state == "warning"
    assert "never" in finding.found
    assert list(doctor_aws.poller(clinic.engine(feeds=False))) == []


def test_jobs_that_were_given_up(clinic: Clinic) -> None:
    ledger, queue = clinic.site.ledger(), clinic.site.queue()
    queued(ledger)
    relay(ledger, queue)
    clinic.boto("sqs").send_message(
        QueueUrl=clinic.site.made.dead_url, MessageBody=json.dumps({"episode_id": "show-1"})
    )
    finding = only(doctor.dead_letters(clinic.engine()))
    assert finding.state == "warning"
    assert "retry --dead" in finding.mend


@pytest.mark.parametrize(("capacity", "words"), [("quota", "vCPU quota"), ("refused", "no spot capacity")])
def test_markets_that_refuse_are_told_until_when(clinic: Clinic, capacity: Capacity, words: str) -> None:
    assert only(doctor_aws.holds(clinic.engine())).state == "ok"
    clinic.site.account.ecs.capacity["SPOT"] = capacity
    clinic.site.fleet().start(1, Market.SPOT)
    clinic.site.clock.go_on(30)
    finding = only(doctor_aws.holds(clinic.engine()))
    assert finding.state == "warning"
    assert "on spot until 20" in finding.found
    assert words in finding.found
    assert "proofcast doctor" not in finding.found + finding.mend


def test_workers_that_came_to_a_bad_end(clinic: Clinic) -> None:
    (task,) = clinic.site.fleet().start(1, Market.SPOT)
    clinic.site.clock.go_on(120)
    clinic.site.account.ecs.end(task.id, exit_code=1)
    clinic.site.clock.go_on(5)
    finding = only(doctor_aws.holds(clinic.engine()))
    assert finding.state == "warning"
    assert task.id in finding.found
    assert f"aws logs tail {clinic.site.names.worker_log}" in finding.mend


def test_a_service_starts_workers_by_itself(clinic: Clinic) -> None:
    assert list(doctor_aws.holds(clinic.engine('dispatch = "service"'))) == []
