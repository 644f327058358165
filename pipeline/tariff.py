"""What is priced of a deployment: of an instance beside its own price, and of a month beside instances.

Quantities that no record tells are estimated, from what the config says and from how Proofcast works;
docs/costs.md lists them. Free tiers are left out: an account has them once, whatever else runs in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from pipeline.config import Aws, Savings
from pipeline.costs import Rate, Use, hours, item, lessened, months
from pipeline.deployment import DISPATCH_MIN, POLLER_MIB, SYNC_MIN
from pipeline.errors import ConfigError
from pipeline.model import BillItem, Episode, Price

ServicePrice = Callable[[str], Price]
"""The price of a unit of one of AWS's services, by the names of `listed.toml`."""

ALARMS, SERVICE_ALARMS = 5, 2  #: of a deployment; and with `dispatch = "service"`
ENDPOINTS, ZONES = 10, 3  #: that `network = "endpoints"` makes, each in so many zones

_IMAGE_GB = 3.5  #: compressed: CUDA's libraries and the model; estimated
_TURN_S = 2.0  #: that the poller works when it is called; estimated
_READS_A_TURN, _REQUESTS_A_TURN = 15, 3  #: of the table and of the queues; counted in the emulator
_WRITES_AN_EPISODE = 40  #: to the table, its indexes counted; counted in the emulator
_OBJECTS_AN_EPISODE = 9  #: audio, transcript, captions, diff
_BYTES_A_SECOND = 16_000  #: of audio, where nobody says how long its file is: 128 kbit/s
_STANDARD_DAYS = 30  #: then audio moves to the class that is rarely read
_KEPT_DAYS = 365  #: that are counted of audio which is never deleted


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What an instance's workers were given."""

    episodes: int
    audio_gb: float


def heard(episodes: list[Episode]) -> Heard:
    """The audio of episodes, as their feeds tell of its size."""
    sizes = [
        (episode.enclosure.length if episode.enclosure else None)
        or (episode.duration_s or 0.0) * _BYTES_A_SECOND
        for episode in episodes
    ]
    return Heard(episodes=len(episodes), audio_gb=sum(sizes) / 1e9)


def instance_items(
    use: Use,
    rates: tuple[Rate, ...],
    fee: Price | None,
    aws: Aws,
    of: ServicePrice,
    audio: Heard,
    lease_s: float,
) -> list[BillItem]:
    """An instance by its own price, the fee for managing it, and what it used beside."""
    paid_h = hours(use.billed_s)
    items = [item("instance", paid_h * rate.share, rate.price) for rate in rates]
    if fee:
        items.append(item("fee", paid_h, fee))
    return [*items, *hourly_items(use.billed_s, aws, of), *_episode_items(use, aws, of, audio, lease_s)]


def on_demand_rates(price: Price, savings: Savings) -> tuple[Rate, ...]:
    """What the config's savings leave of an on-demand price."""
    return lessened(price, Decimal(str(savings.discount)), Decimal(str(savings.covered)))


def hourly_items(seconds: float, aws: Aws, of: ServicePrice) -> list[BillItem]:
    """What every instance has beside itself, for so long as it is paid for."""
    items: list[BillItem] = []
    if not aws.local_storage:
        items.append(item("volume", aws.storage_gib * months(seconds), of("gp3")))
    if aws.network == "public":
        items.append(item("address", hours(seconds), of("ipv4")))
    return items


def standing_items(aws: Aws, since: float, until: float, of: ServicePrice) -> list[BillItem]:
    """What a deployment costs from one time to another, whether it works or not."""
    seconds = until - since
    a_month, an_hour = months(seconds), hours(seconds)
    turns = Decimal(seconds / 60 * (1 / aws.poll_min + 1 / DISPATCH_MIN + 1 / SYNC_MIN))
    alarms = ALARMS + (SERVICE_ALARMS if aws.dispatch == "service" else 0)
    items = [
        item("secret", a_month, of("secret")),
        item("alarms", alarms * a_month, of("alarm")),
        item("schedules", turns, of("schedule")),
        item("functions", turns * Decimal(_TURN_S) * POLLER_MIB / 1024, of("lambda")),
        item("functions", turns, of("lambda-call")),
        item("requests", turns * _READS_A_TURN, of("dynamodb-read")),
        item("requests", turns * _REQUESTS_A_TURN, of("sqs")),
    ]
    if not aws.image:
        items.append(item("image", Decimal(_IMAGE_GB) * a_month, of("ecr")))
    if aws.network != "public":
        items.append(item("nat", an_hour, of("nat")))
    if aws.network == "endpoints":
        items.append(item("endpoints", ENDPOINTS * ZONES * an_hour, of("endpoint")))
    return items


def month_of(at: float) -> str:
    """As 2026-11, in UTC, as AWS bills."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")


def month_span(month: str) -> tuple[float, float]:
    """When a month begins, and when the next one does. Raises ConfigError where it is none."""
    try:
        begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(f"'{month}' is no month", "it must be a year and a month, as 2026-11") from None
    year, number = divmod(begin.year * 12 + begin.month, 12)
    return begin.timestamp(), datetime(year, number + 1, 1, tzinfo=UTC).timestamp()


def standing_id(month: str) -> str:
    """What the bill of a month's standing costs is called."""
    return f"standing-{month}"


def _episode_items(use: Use, aws: Aws, of: ServicePrice, audio: Heard, lease_s: float) -> list[BillItem]:
    if not audio.episodes:
        return []
    beats = sum(use.work_s.values()) / (lease_s / 3)
    kept_days = aws.audio_days or _KEPT_DAYS
    rarely_days = max(0, kept_days - _STANDARD_DAYS)
    items = [
        item("requests", beats + audio.episodes * _WRITES_AN_EPISODE, of("dynamodb-write")),
        item("requests", beats, of("sqs")),
        item("requests", audio.episodes * _OBJECTS_AN_EPISODE, of("s3-put")),
        item("storage", audio.audio_gb * min(kept_days, _STANDARD_DAYS) / 30, of("s3")),
    ]
    if rarely_days:
        items.append(item("storage", audio.audio_gb * rarely_days / 30, of("s3-ia")))
    if aws.network != "public":
        items.append(item("transfer", audio.audio_gb, of("nat-data")))
    return items
