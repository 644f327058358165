"""The bills of a time, as they are; on an engine that pays for nothing, as they would be on AWS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pipeline.advice import imagined, load_of, managed, worked
from pipeline.assumptions import Assumptions, shipped
from pipeline.config import Aws, Config
from pipeline.deployment import DEFAULT_REGION
from pipeline.listed import Listed
from pipeline.loads import Load
from pipeline.model import Bill, Episode
from pipeline.offers import CPU_TYPE, GPU_TYPES, offers
from pipeline.options import terms_of
from pipeline.planning import Question
from pipeline.ports import PriceList


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Bills, and where nothing was paid, what they are imagined on."""

    bills: Sequence[Bill]
    imagined_on: str | None = None
    standing_usd: Decimal = Decimal(0)  #: a month, if it were there

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Of what was priced, and whose prices they are."""
        return sorted({(item.what, item.price.source) for bill in self.bills for item in bill.items})


def would_be(
    config: Config,
    prices: PriceList,
    episodes: Sequence[Episode],
    since: float = 0.0,
    until: float | None = None,
) -> Kept:
    """Bills that there would be of a time, had its episodes been worked on as the config has it."""
    done = [
        episode
        for episode in worked(episodes)
        if since <= episode.queued_at and (until is None or episode.queued_at <= until)
    ]
    aws = aws_of(config)
    asked = question(aws, prices, load_of(done), shipped())
    option = managed(asked, aws.instance_types[0], aws.markets[0])
    if option is None:
        return Kept(bills=[], imagined_on="")
    return Kept(
        bills=imagined(option, option.cost(asked.load, asked.terms), done),
        imagined_on=f"{option.name}, {aws.region}",
        standing_usd=asked.terms.standing_usd,
    )


def question(aws: Aws, prices: PriceList, load: Load, table: Assumptions) -> Question:
    """What a load costs by every way there is."""
    service = Listed(aws.region).service
    return Question(
        load=load,
        table=table,
        offers=offers(prices, dict.fromkeys((*aws.instance_types, *GPU_TYPES, CPU_TYPE))),
        service=service,
        terms=terms_of(aws, service),
    )


def aws_of(config: Config | None) -> Aws:
    """The config's, or its defaults in the region that most prices are quoted for."""
    return (config.aws if config else None) or Aws(region=DEFAULT_REGION)
