"""What each option costs, by hand; how costs move with prices and audio; figures that others published."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.arrivals import Arrival
from pipeline.assumptions import changed, measured, scaled, shipped
from pipeline.config import Aws, Savings
from pipeline.errors import ConfigError
from pipeline.listed import Listed
from pipeline.loads import MONTH_S, Load, catalogue, regular
from pipeline.model import Part, Price
from pipeline.offers import CPU_TYPE, GPU_TYPES, Offer, Unknown, offers, options, vcpus
from pipeline.options import Cost, Hired, Option, Terms, terms_of

LISTED = Listed("us-east-1")
ONCE = Load(name="", arrivals=(Arrival(at=0, audio_s=600),), months=1)

#: No chance: an instance after 10 s, a worker after 200; ten times real time.
EXACT = (
    *("launch_low_s=10", "launch_high_s=10", "start_up_low_s=200", "start_up_high_s=200"),
    *("idle_end_s=90", "speed.g6.xlarge=10"),
)


def price(usd: str) -> Price:
    return Price(usd=Decimal(usd), source="made up", at=0)


def free(_: str) -> Price:
    """A service of AWS, so that only instances cost something."""
    return price("0")


def terms(**fields: object) -> Terms:
    """With the defaults, but no wait for a poll and nothing beside instances."""
    aws = Aws(region="us-east-1", **fields)  # pyright: ignore[reportArgumentType]
    return replace(terms_of(aws, free), poll_s=0.0)


def priced(
    *sets: str, offer: Offer | None = None, by: Terms | None = None
) -> tuple[dict[str, Option], dict[str, Unknown]]:
    """By name. An hour of the instance costs US$ 3.24, of the fee 0.36: a second is a tenth of a cent."""
    offer = offer or Offer(type="g6.xlarge", on_demand=price("3.24"), fee=price("0.36"), spot=price("1.44"))
    found, unknown = options(changed(shipped(), sets), [offer], free, by or terms())
    return {each.name: each for each in found}, {each.name: each for each in unknown}


def cost(name: str, *sets: str, load: Load = ONCE, by: Terms | None = None) -> Cost:
    found, _ = priced(*(sets or EXACT), by=by)
    return found[name].cost(load, by or terms())


def test_an_instance_by_hand() -> None:
    """190 s of start-up, 60 of work, 20 of lingering and 90 until the end."""
    found = cost("managed g6.xlarge on-demand")
    assert found.parts == {
        Part.WORK: Decimal("0.06"),
        Part.START_UP: Decimal("0.19"),
        Part.IDLE: Decimal("0.11"),
        Part.STANDING: 0,
    }
    assert (found.usd, found.billed_s) == (Decimal("0.36"), 360)
    assert (found.median_s, found.p95_s) == (260, 260)
    assert found.share(Part.WORK) == pytest.approx(1 / 6)


def test_on_spot_only_the_instance_is_cheaper() -> None:
    """An hour of 1.44 and the same fee: half of what it is on demand."""
    assert cost("managed g6.xlarge spot").usd == Decimal("0.18")


def test_plain_ecs_has_no_fee_and_its_own_times() -> None:
    """It is paid for from 100 to 300, works for 60, lingers for 20, idles for 900; at 0.09 cents a second."""
    times = ("launch_low_s=100", "launch_high_s=100", "start_up_low_s=300", "start_up_high_s=300")
    found = cost("plain ECS g6.xlarge on-demand", *EXACT, *(f"plain_ecs.{each}" for each in times))
    assert found.billed_s == 1180
    assert found.usd == Decimal("1.062")


def test_a_savings_plan_lessens_the_instance_and_not_the_fee_nor_spot() -> None:
    """Half of the hours at 30 % less: 3.24 less 0.486."""
    by = terms(savings=Savings(discount=0.3, covered=0.5))
    found, _ = priced(by=by)
    hourly = {name: each.usd_h for name, each in found.items() if isinstance(each, Hired)}
    assert hourly["managed g6.xlarge on-demand"] == Decimal("3.114")
    assert hourly["plain ECS g6.xlarge on-demand"] == Decimal("2.754")
    assert hourly["managed g6.xlarge spot"] == Decimal("1.80")


def test_what_a_deployment_costs_anyway_is_counted_by_the_month() -> None:
    by = replace(terms(), standing_usd=Decimal(2))
    load = replace(ONCE, months=3)
    assert cost("managed g6.xlarge spot", load=load, by=by).parts[Part.STANDING] == 6
    assert Part.STANDING not in cost("hosted groq-turbo", load=load, by=by).parts


def test_an_instance_has_a_volume_and_an_address_as_the_config_says() -> None:
    by = terms_of(Aws(region="us-east-1"), LISTED.service)
    (option,) = (each for each in priced(by=by)[0].values() if each.name == "managed g6.xlarge spot")
    assert isinstance(option, Hired)
    assert option.usd_h == Decimal("1.80") + Decimal("0.083333333") * Decimal("0.08") + Decimal("0.005")
    assert option.includes == "fee, volume, address"
    bare = terms_of(Aws(region="us-east-1", local_storage=True, network="nat"), LISTED.service)
    assert priced(by=bare)[0]["managed g6.xlarge spot"].includes == "fee"


def test_an_idle_instance_is_kept_as_the_config_says() -> None:
    assert cost("managed g6.xlarge spot", by=terms(scale_in_after_s=100)).billed_s == 460
    assert cost("managed g6.xlarge spot", by=terms(scale_in_after_s=-1)).billed_s == 360 + 14 * 86_400


def test_a_worker_is_never_there_before_its_instance() -> None:
    found = cost("managed g6.xlarge spot", *EXACT[:2], "start_up_low_s=1", "start_up_high_s=2")
    assert found.parts[Part.START_UP] == 0


def test_a_batch_job_by_hand() -> None:
    """Half an hour for 30 minutes of audio, 25 of them overhead, at US$ 1.408 an hour."""
    found, _ = options(shipped(), [], LISTED.service, terms())
    batch = next(each for each in found if each.name == "SageMaker batch ml.g5.xlarge")
    half = batch.cost(Load(name="", arrivals=(Arrival(at=0, audio_s=1800),), months=1), terms())
    assert (half.median_s, half.usd) == (1800, Decimal("0.704"))
    assert half.share(Part.START_UP) == pytest.approx(25 / 30)


def test_a_hosted_service_by_hand() -> None:
    """Two hours and a half of audio at 0.36, in two episodes at once."""
    load = Load(name="", arrivals=(Arrival(at=0, audio_s=3600), Arrival(at=0, audio_s=5400)), months=0)
    found = cost("hosted openai-whisper", load=load)
    assert found.usd == Decimal("0.9")
    assert found.median_s == (60 + 90) / 2


def test_a_machine_of_ones_own_by_hand() -> None:
    """48 months of it; a tenth of the month at work: 300 W, else 40 W, at 17 cents. One after the other."""
    load = Load(
        name="", arrivals=(Arrival(at=0, audio_s=3 * MONTH_S), Arrival(at=60, audio_s=30 * 60)), months=1
    )
    found = cost("a machine of one's own", load=load)
    hours = MONTH_S / 3600
    work_h = hours / 10 + 1 / 60
    assert found.parts[Part.STANDING] == Decimal("41.666666667")
    assert float(found.parts[Part.WORK]) == pytest.approx(0.3 * work_h * 0.17)
    assert float(found.parts[Part.IDLE]) == pytest.approx(0.04 * (hours - work_h) * 0.17)
    assert found.median_s == pytest.approx((MONTH_S / 10 + (MONTH_S / 10 - 60 + 60)) / 2)


def test_work_for_two_machines_takes_two() -> None:
    busy = Load(
        name="", arrivals=(Arrival(at=0, audio_s=31 * MONTH_S), Arrival(at=0, audio_s=20 * MONTH_S)), months=1
    )
    found = cost("a machine of one's own", load=busy)
    assert found.parts[Part.STANDING] == Decimal("83.333333333")
    assert found.p95_s <= 31 / 30 * MONTH_S


def test_a_machine_for_a_catalogue_is_paid_in_full() -> None:
    assert cost("a machine of one's own", load=catalogue(10, 10)).parts[Part.STANDING] == 2000


def test_polls_come_half_a_turn_late_for_all_options() -> None:
    found, _ = priced(*EXACT)
    by = replace(terms(), poll_s=300.0)
    waits = {name: found[name].cost(ONCE, by).median_s for name in found}
    assert waits["managed g6.xlarge spot"] == 150 + 260
    assert waits["hosted groq-turbo"] == 150 + 10
    assert waits["a machine of one's own"] == 150 + 20


def test_what_has_no_price_or_no_speed_is_unknown_and_not_guessed() -> None:
    _, unknown = priced(offer=Offer(type="g6.xlarge", on_demand=None, fee=None, spot=None))
    assert unknown["g6.xlarge"].reason == "no price is known in this region"
    _, unknown = priced(offer=Offer(type="p9.xlarge", on_demand=price("1"), fee=None, spot=None))
    assert unknown["p9.xlarge"].reason == "nobody has measured or assumed its speed"
    found, unknown = priced(offer=Offer(type="g6.xlarge", on_demand=price("1"), fee=None, spot=None))
    assert set(unknown) == {"managed g6.xlarge spot", "managed g6.xlarge on-demand"}
    assert "plain ECS g6.xlarge on-demand" in found


def test_far_from_home_services_are_unknown_too() -> None:
    by = terms_of(Aws(region="eu-west-1"), Listed("eu-west-1").service)
    found, unknown = options(
        shipped(), offers(Listed("eu-west-1"), GPU_TYPES), Listed("eu-west-1").service, by
    )
    assert {each.name for each in unknown} == {
        *("g6.xlarge", "g6e.xlarge"),
        *("Fargate 16 vCPU", "SageMaker batch ml.g5.xlarge"),
    }
    assert "managed g5.xlarge spot" in {each.name for each in found}


def test_a_spot_price_that_nobody_knows_is_an_assumption_and_says_so() -> None:
    offer = Offer(type="g6.xlarge", on_demand=price("2"), fee=price("0"), spot=None)
    found = priced("spot.share=0.4", offer=offer)[0]["managed g6.xlarge spot"]
    assert found.prices["instance"].usd == Decimal("0.8")
    assert found.prices["instance"].source.startswith("assumed: 0.4 of the on-demand price")
    assert "spot.share" in found.assumed
    assert "spot.share" not in priced()[0]["managed g6.xlarge spot"].assumed


def test_a_measured_speed_goes_before_the_assumed_one() -> None:
    table = measured(shipped(), {"g6.xlarge": 40.0, "p9.xlarge": 3.0})
    assert table["speed.g6.xlarge"].value == 40
    assert table["speed.g6.xlarge"].origin == "measured"
    assert table["speed.p9.xlarge"].value == 3


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("idle_ends_s=3", "there is no assumption 'idle_ends_s' .did you mean 'idle_end_s'?"),
        ("speed.g6.xlarge", "'' is not a number"),
        ("warm_s=soon", "'soon' is not a number"),
        ("warm_s=-1", "must be from 0 to 86400"),
        ("warm_s=nan", "must be from 0 to 86400"),
        ("speed.g6.xlarge=0", "must be from 0.1 to 10000"),
        ("spot.share=1.01", "must be from 0 to 1 "),
        ("own.years=0", "must be from 0.1 to 100"),
    ],
)
def test_an_assumption_that_can_not_be_is_refused(setting: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        changed(shipped(), [setting])


def test_every_assumption_has_a_source_and_a_date_and_may_be_set_to_itself() -> None:
    for key, row in shipped().items():
        assert row.source
        assert row.date > "2025"
        assert changed(shipped(), [f"{key}={row.value}"])[key].value == row.value


@pytest.mark.parametrize(("type", "count"), [("g6.xlarge", 4), ("c7i.4xlarge", 16), ("p4d.24xlarge", 96)])
def test_vcpus_by_size(type: str, count: int) -> None:
    assert vcpus(type) == count
    assert vcpus("g4dn.metal") is None


some_loads = st.lists(st.tuples(st.floats(0, 5e5), st.floats(60, 9000)), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(some_loads, st.floats(1, 3), st.floats(1, 3))
def test_dearer_instances_and_longer_episodes_never_cost_less(
    episodes: list[tuple[float, float]], dearer: float, longer: float
) -> None:
    """Of the work, that is: a longer episode may spare the next one a start."""
    arrivals = tuple(Arrival(at=at, audio_s=audio_s) for at, audio_s in sorted(episodes))
    load = Load(name="", arrivals=arrivals, months=1)
    more = replace(load, arrivals=tuple(replace(each, audio_s=each.audio_s * longer) for each in arrivals))
    by = terms(max_workers=1)
    offer = Offer(type="g6.xlarge", on_demand=price("0.8"), fee=price("0.06"), spot=price("0.4"))
    high = replace(offer, on_demand=price(f"{0.8 * dearer}"), spot=price(f"{0.4 * dearer}"))
    for name, option in priced(*EXACT, offer=offer)[0].items():
        cost = option.cost(load, by)
        assert min(cost.parts.values()) >= 0
        assert cost.usd <= priced(*EXACT, offer=high)[0][name].cost(load, by).usd
        assert cost.parts[Part.WORK] <= option.cost(more, by).parts[Part.WORK]


# What others published, or computed by hand before there was this program: US$.


def warm(*sets: str) -> float:
    """An hour of audio on an instance of us-east-1 that is there already, without volume and address."""
    found, _ = options(changed(shipped(), sets), offers(LISTED, ("g6.xlarge", "g4dn.xlarge")), free, terms())
    types = {each.split("=")[0].removeprefix("speed.") for each in sets}
    option = next(each for each in found if each.name in {f"managed {type} on-demand" for type in types})
    return float(option.cost(regular(1, 60), terms()).parts[Part.WORK]) / 12


@pytest.mark.parametrize(
    ("setting", "usd"),
    [("speed.g6.xlarge=40", 0.022), ("speed.g6.xlarge=15", 0.058), ("speed.g4dn.xlarge=25", 0.023)],
)
def test_an_hour_of_audio_on_a_warm_instance(setting: str, usd: float) -> None:
    assert warm(setting) == pytest.approx(usd, abs=0.0005)


def test_a_wake_of_seven_minutes_costs_ten_cents() -> None:
    """Beside the work: here 310 s of start-up and 110 of idling."""
    sets = ("launch_low_s=0", "launch_high_s=0", "start_up_low_s=310", "start_up_high_s=310")
    found, _ = options(changed(shipped(), sets), offers(LISTED, ("g6.xlarge",)), free, terms())
    option = next(each for each in found if each.name == "managed g6.xlarge on-demand")
    parts = option.cost(ONCE, terms()).parts
    assert float(parts[Part.START_UP] + parts[Part.IDLE]) == pytest.approx(0.10, abs=0.005)


def test_an_hour_of_audio_in_a_batch_job_without_its_start() -> None:
    table = changed(shipped(), ["sagemaker.speed=40"])
    found, _ = options(table, [], LISTED.service, terms())
    batch = next(each for each in found if each.name.startswith("SageMaker"))
    assert float(batch.cost(regular(1, 60), terms()).parts[Part.WORK]) / 12 == pytest.approx(
        0.035, abs=0.0005
    )


def test_a_weekly_show_of_an_hour_costs_twelve_cents_an_episode() -> None:
    by = replace(terms_of(Aws(region="us-east-1"), LISTED.service), standing_usd=Decimal(0))
    found, _ = options(shipped(), offers(LISTED, ("g6.xlarge",)), LISTED.service, by)
    option = next(each for each in found if each.name == "managed g6.xlarge on-demand")
    assert float(option.cost(regular(4, 60), by).usd) / 48 == pytest.approx(0.12, abs=0.005)


@pytest.mark.parametrize("type", ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"])
def test_podwhisperers_hour_long_episode_costs_what_its_readme_says(type: str) -> None:
    """US$ 0.15 to 0.50: at 6 times real time (AWS Bites 152), five minutes until an alarm ends it."""
    sets = (f"speed.{type}=6", "start_up_low_s=240", "start_up_high_s=300")
    by = terms_of(Aws(region="us-east-1", linger_s=300), LISTED.service)
    found, _ = options(changed(shipped(), sets), offers(LISTED, (type,)), LISTED.service, by)
    option = next(each for each in found if each.name == f"managed {type} on-demand")
    parts = option.cost(regular(4, 60), by).parts
    assert 0.15 <= float(sum(parts.values()) - parts[Part.STANDING]) / 48 <= 0.50


def test_all_that_is_offered_can_be_told_apart() -> None:
    found, _ = options(shipped(), offers(LISTED, (*GPU_TYPES, CPU_TYPE)), LISTED.service, terms())
    names = [each.name for each in found]
    assert len(names) == len(set(names)) > 25
    for option in found:
        assert option.prices or option.name == "a machine of one's own"
        assert set(option.assumed) <= set(shipped())


def test_scaling_touches_only_what_it_names() -> None:
    table = scaled(shipped(), ("speed.",), Decimal(2))
    assert table["speed.g6.xlarge"].value == 2 * shipped()["speed.g6.xlarge"].value
    assert table["own.speed"] == shipped()["own.speed"]
