"""Checks of the engine on AWS: the account, what it may start and what that costs, and the deployment."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pipeline.budget import SHARES
from pipeline.config import Aws
from pipeline.console import ago, when
from pipeline.doctor import Finding, repository
from pipeline.errors import StorageError
from pipeline.model import Market, Price
from pipeline.scaling import Hold
from pipeline.scaling import holds as holds_of
from pipeline.wiring import AwsEngine

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import CapacityProviderTypeDef

    from pipeline.adapters.aws.facts import Facts, InstanceType
    from pipeline.adapters.aws.prices import Prices

DEPLOY = "proofcast deploy"
_POOLS = 3  #: types that spot should have to choose from
_LATE = 3  #: so many turns of the poller

# Quotas are of vCPUs, by market and families of types: the first that fits.
_QUOTAS = {
    Market.ON_DEMAND: ((r"g|vt", "G and VT", "L-DB2E81BA"), (r"p", "P", "L-417A185B")),
    Market.SPOT: (
        (r"g|vt", "G and VT", "L-3819A6DF"),
        (r"p[2-4]", "P2, P3 and P4", "L-7212CCBC"),
        (r"p5", "P5", "L-C4BD4855"),
    ),
}


def facts(engine: AwsEngine) -> Facts:
    """Raises ConfigError where boto3 is not installed."""
    clients = engine.clients
    from pipeline.adapters.aws.facts import Facts

    return Facts(clients, engine.names)


def credentials(engine: AwsEngine) -> Iterator[Finding]:
    """They are taken, and for which account: a wrong one shows."""
    account, who = facts(engine).caller()
    found = f"account {account}, region {engine.aws.region}, as {who}"
    yield Finding(check="credentials", state="ok", found=found)


def deployment(engine: AwsEngine) -> Iterator[Finding]:
    """All that goes by a name is there, in this account and region."""
    asked, names = facts(engine), engine.names
    missing = asked.missing(service=engine.aws.dispatch == "service")
    if missing:
        place = f"account {asked.caller()[0]}, {engine.aws.region}"
        found = f"not in {place}: {', '.join(missing)}"
        mend = f"{DEPLOY}; if it was deployed, see that account, region and name are the same"
        yield Finding(check="deployment", state="failed", found=found, mend=mend)
    else:
        yield Finding(check="deployment", state="ok", found=f"{names.name} in {names.region}")


def capacity_providers(engine: AwsEngine) -> Iterator[Finding]:
    """One for each market that the config buys in, in working order."""
    there = {each.get("name", ""): each for each in engine.machines.providers()}
    for market in engine.aws.markets:
        check = f"capacity provider for {market}"
        try:
            provider = there[engine.machines.provider(market)]
        except StorageError as error:
            yield Finding(check=check, state="failed", found=error.message, mend=DEPLOY)
        else:
            yield provider_finding(check, provider)


def provider_finding(check: str, provider: CapacityProviderTypeDef) -> Finding:
    """What its two states mean: whether it is there, and what became of its last change."""
    name, status = provider.get("name", ""), provider.get("status", "UNKNOWN")
    changed, reason = provider.get("updateStatus", ""), provider.get("updateStatusReason", "")
    found = ", ".join(filter(None, (f"{name} is {status}", changed, reason)))
    mend = f"{DEPLOY}, which makes what is not there; a reason, if any, is AWS's own"
    if status != "ACTIVE":
        return Finding(check=check, state="failed", found=found, mend=mend)
    if changed.endswith("FAILED"):
        return Finding(check=check, state="warning", found=found, mend=mend)
    return Finding(check=check, state="ok", found=name)


def instance_types(engine: AwsEngine) -> Iterator[Finding]:
    """Those of the config can be had in the region, and could run a worker."""
    offered = facts(engine).instance_types(engine.aws.instance_types)
    return type_findings(engine.aws, offered)


def type_findings(aws: Aws, offered: Sequence[InstanceType]) -> Iterator[Finding]:
    """What is offered and where, what is not, and whether that is enough."""
    for kind in offered:
        check, unfit = f"instance type {kind.name}", unfit_for(kind, aws)
        found = f"{kind.vcpus} vCPUs, {kind.gpus} GPU: {', '.join(sorted(kind.zones))}"
        if unfit:
            mend = f"{unfit[1]}; or take {kind.name} out of instance_types under [aws]"
            yield Finding(check=check, state="warning", found=unfit[0], mend=mend)
        else:
            yield Finding(check=check, state="ok", found=found)
    nowhere = [name for name in aws.instance_types if name not in {kind.name for kind in offered}]
    mend = "other instance_types under [aws], or another region"
    if nowhere:
        found = f"not offered in {aws.region}: {', '.join(nowhere)}"
        yield Finding(check="instance types", state="warning", found=found, mend=mend)
    left = sum(unfit_for(kind, aws) is None for kind in offered)
    if not left:
        found = f"none that can be used in {aws.region}: no worker can be started"
        yield Finding(check="instance types", state="failed", found=found, mend=mend)
    elif Market.SPOT in aws.markets and left < _POOLS:
        found = f"{left} to choose from, which is few for spot: it may take long until one is to be had"
        yield Finding(check="instance types", state="warning", found=found, mend=f"more {mend}")


def unfit_for(kind: InstanceType, aws: Aws) -> tuple[str, str] | None:
    """Why it is never bought, though it is offered, and what would help."""
    if not kind.gpus:
        return "has no GPU of NVIDIA's, which a worker needs", "name one that has"
    if kind.gpus > 1 and not aws.shared:
        return f"has {kind.gpus} GPUs, and is only bought if workers share it", "shared = true under [aws]"
    if aws.local_storage and not kind.disks:
        return "has no disk of its own, which local_storage asks for", "local_storage = false under [aws]"
    return None


def zones(engine: AwsEngine) -> Iterator[Finding]:
    """Every type can be had in one of the deployment's zones."""
    subnets: set[str] = set()
    for provider in engine.machines.providers():
        template = provider.get("managedInstancesProvider", {}).get("instanceLaunchTemplate", {})
        subnets |= set(template.get("networkConfiguration", {}).get("subnets", []))
    ours = facts(engine).zones(subnets)
    offered = facts(engine).instance_types(engine.aws.instance_types)
    elsewhere = [kind.name for kind in offered if ours and not ours & kind.zones]
    if elsewhere:
        found = f"only offered outside {', '.join(sorted(ours))}: {', '.join(elsewhere)}"
        mend = "other instance_types under [aws]: in these zones AWS will not have them"
        yield Finding(check="zones", state="warning", found=found, mend=mend)
    elif ours:
        yield Finding(check="zones", state="ok", found=", ".join(sorted(ours)))


def quotas(engine: AwsEngine) -> Iterator[Finding]:
    """As many vCPUs as all workers need, in each market by itself."""
    asked, aws = facts(engine), engine.aws
    kinds = [
        kind for kind in asked.instance_types(aws.instance_types) if kind.vcpus and not unfit_for(kind, aws)
    ]
    for market in aws.markets:
        groups: dict[tuple[str, str], list[InstanceType]] = {}
        for kind in kinds:
            groups.setdefault(quota_of(kind.name, market), []).append(kind)
        for (code, family), some in groups.items():
            check = f"{market} quota of {family}"
            if not code:
                mend = "see EC2 in the console of Service Quotas"
                found = f"which one counts for {', '.join(kind.name for kind in some)} is not known here"
                yield Finding(check=check, state="warning", found=found, mend=mend)
                continue
            least = min(kind.vcpus for kind in some)
            needed = vcpus_needed(some, aws.max_workers, shared=aws.shared)
            yield quota_finding(check, code, asked.quota(code), least, needed, aws.region)


def quota_of(instance_type: str, market: Market) -> tuple[str, str]:
    """The quota's code, empty if it is not known, and what it is for."""
    for families, what, code in _QUOTAS[market]:
        if re.match(f"(?:{families})", instance_type):
            return code, what
    return "", instance_type


def vcpus_needed(kinds: Iterable[InstanceType], workers: int, *, shared: bool) -> int:
    """For all workers on the largest, and an instance more: one that drains counts until it is gone."""
    return max(kind.vcpus * (math.ceil(workers / (kind.gpus if shared else 1)) + 1) for kind in kinds)


def quota_finding(
    check: str, code: str, current: float | None, least: int, needed: int, region: str
) -> Finding:
    """With less than `least` nothing starts; with less than `needed` not everything."""
    mend = (
        f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code}"
        f" --desired-value {needed} --region {region} (it becomes a support case, which may take days:"
        " ask early)"
    )
    if current is None:
        found = f"Service Quotas knows nothing of {code} in {region}"
        mend = "see EC2 in the console of Service Quotas; does the region have such instances?"
        return Finding(check=check, state="warning", found=found, mend=mend)
    found = f"{current:g} vCPUs; all workers need {needed}"
    if current < least:
        return Finding(check=check, state="failed", found=f"{found}, and one needs {least}", mend=mend)
    if current < needed:
        return Finding(check=check, state="warning", found=found, mend=mend)
    return Finding(check=check, state="ok", found=found)


def spot_role(engine: AwsEngine) -> Iterator[Finding]:
    """Spot may be bought at all."""
    if Market.SPOT not in engine.aws.markets:
        return
    make = "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"
    try:
        there = facts(engine).has_spot_role()
    except StorageError as error:
        mend = f"if spot is never to be had, have somebody who may run: {make}"
        yield Finding(check="spot role", state="warning", found=error.message, mend=mend)
        return
    if there:
        yield Finding(check="spot role", state="ok", found="the account may buy spot instances")
    else:
        found = "the account never bought spot instances, and lacks the role for it"
        yield Finding(check="spot role", state="failed", found=found, mend=make)


def prices(engine: AwsEngine) -> Iterator[Finding]:
    """What an hour costs now."""
    clients = engine.clients
    from pipeline.adapters.aws.prices import Prices

    lists = Prices(clients.prices(), clients.ec2(), engine.aws.region, engine.clock)
    for name in engine.aws.instance_types:
        try:
            yield _price(lists, name, spot=Market.SPOT in engine.aws.markets)
        except StorageError as error:
            mend = error.hint or "try again later; workers run without, but what they cost is not known"
            yield Finding(check="prices", state="warning", found=error.message, mend=mend)
            return


def _price(lists: Prices, name: str, *, spot: bool) -> Finding:
    on_demand, fee = lists.on_demand(name), lists.fee(name)
    found = price_in_words(name, on_demand, fee, lists.spot(name) if spot else None, spot=spot)
    if on_demand and fee:
        return Finding(check="prices", state="ok", found=found)
    mend = "what its instances cost will not be known: other instance_types under [aws], if that matters"
    return Finding(check="prices", state="warning", found=found, mend=mend)


def price_in_words(
    name: str, on_demand: Price | None, fee: Price | None, of_spot: Price | None, *, spot: bool
) -> str:
    """The fee of managed instances is the same in either market."""
    market = f", spot {_usd(of_spot)}" if spot else ""
    return f"{name}: on-demand {_usd(on_demand)} + fee {_usd(fee)}{market} an hour"


def _usd(price: Price | None) -> str:
    """Cents, and what is less than one."""
    if price is None:
        return "unknown"
    return f"${price.usd:.2f}" if price.usd >= 0.01 else f"${price.usd:.2g}"


def budget(engine: AwsEngine) -> Iterator[Finding]:
    """How much of it is spent, and that nothing waits for the next month."""
    limit = engine.aws.budget_usd
    spending = engine.spending() if limit else None
    if spending is None:
        return
    found = f"US$ {spending.so_far_usd:.2f} of {limit:.2f} spent in {spending.month}"
    mend = (
        "raise budget_usd under [aws] and deploy, or let this month's work go on: proofcast release --budget"
    )
    if engine.held():
        yield Finding(check="budget", state="failed", found=f"{found}: no new work is begun", mend=mend)
    elif spending.share >= SHARES[-2]:
        yield Finding(check="budget", state="warning", found=f"{found} ({spending.share:.0f} %)", mend=mend)
    else:
        yield Finding(check="budget", state="ok", found=found)


def github(engine: AwsEngine) -> Iterator[Finding]:
    """Workers have a token, and it opens the shows' repositories."""
    there, here = facts(engine).has_github_token(), bool(os.environ.get("GITHUB_TOKEN"))
    yield token_finding(engine.names.github_token, engine.aws.region, there=there, here=here)
    if there or here:
        for feed in engine.config.feed:
            yield repository(engine, feed)


def token_finding(secret: str, region: str, *, there: bool, here: bool) -> Finding:
    """Whether the secret holds one, and GITHUB_TOKEN on this machine, which goes before it."""
    check = "GitHub token"
    put = (
        'read -rs TOKEN; printf %s "$TOKEN" | aws secretsmanager put-secret-value'
        f" --secret-id {secret} --secret-string file:///dev/stdin --region {region}"
    )
    if not there and not here:
        return Finding(check=check, state="failed", found=f"none in the secret {secret}", mend=put)
    if not there:
        found = f"only GITHUB_TOKEN on this machine, which workers don't have: none in the secret {secret}"
        return Finding(check=check, state="warning", found=found, mend=put)
    if here:
        found = f"GITHUB_TOKEN on this machine is what is checked here; workers have that of {secret}"
        mend = "unset GITHUB_TOKEN, then run it again"
        return Finding(check=check, state="warning", found=found, mend=mend)
    return Finding(check=check, state="ok", found=f"in the secret {secret}")


def poller(engine: AwsEngine) -> Iterator[Finding]:
    """It polled lately."""
    names = [feed.name for feed in engine.config.feed if feed.url]
    if not names:
        return
    last = max(engine.ledger.feed(name).polled_at or 0.0 for name in names)
    found = f"polled {ago(last)}" if last else "never polled"
    if engine.clock() - last <= _LATE * engine.aws.poll_min * 60:
        yield Finding(check="poller", state="ok", found=found)
        return
    log = engine.names.poller_log
    found += f", and should every {engine.aws.poll_min} min; its log group is {log}"
    yield Finding(check="poller", state="warning", found=found, mend=_tail(log, engine.aws.region))


def holds(engine: AwsEngine) -> Iterator[Finding]:
    """Nothing keeps workers from being started just now."""
    if engine.policy is None:
        return
    held = holds_of(engine.fleet.recent(), engine.policy, engine.clock())
    for hold in held:
        log = _tail(engine.names.worker_log, engine.aws.region)
        yield Finding(check="workers", state="warning", found=_held(hold), mend=_way_out(hold, log))
    if not held:
        yield Finding(check="workers", state="ok", found="can be started")


def _held(hold: Hold) -> str:
    where = f" on {hold.market}" if hold.market else ""
    why = hold.why.partition(": 'proofcast doctor'")[0]  # this is what would be pointed to
    return f"none are started{where} until {when(hold.until)}: {why}"


def _way_out(hold: Hold, log: str) -> str:
    if hold.market is None:
        return f"its log says more: {log}"
    return "it is tried again by itself; more instance_types, another market or a higher quota make it rarer"


def _tail(log: str, region: str) -> str:
    return f"aws logs tail {log} --since 1h --region {region}"
