"""`proofcast costs`, as people call it, on both engines."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline import states
from pipeline.cli import cli
from pipeline.config import load
from pipeline.costs import Use, bill_of, hours, item
from pipeline.deployment import TAG
from pipeline.errors import ConfigError
from pipeline.listed import Listed
from pipeline.model import Bill, BudgetState, Instance, Market
from pipeline.tariff import month_of, month_span
from pipeline.wiring import Engine, build
from tests.builders import a_change, a_lease, an_episode
from tests.deployed_site import DeployedSite
from tests.fakes.aws_costs import Line

LOCAL = '[[feed]]\nname = "show"\n'
AWS = """
engine = "aws"
[aws]
region = "us-east-1"
name = "{name}"
market = "on-demand"
instance_types = ["g5.xlarge"]
scale_in_after_s = 600
budget_usd = 40
[[feed]]
name = "show"
repository = "https://github.com/ann/site"
"""


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Engine]:
    def opened(text: str) -> Engine:
        (tmp_path / "proofcast.toml").write_text(text)
        monkeypatch.chdir(tmp_path)
        return build(load(tmp_path / "proofcast.toml"), tmp_path / "proofcast.toml")

    return opened


def run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["costs", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def shown(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def done(engine: Engine, id: str, hour: float, audio_s: float = 3600.0) -> None:
    """An episode that was published in an hour of this month, and worked on at once."""
    at = month_span(month_of(engine.clock()))[0] + hour * 3600
    episode = replace(an_episode(id, title=f"Title {id}", duration_s=audio_s), published=at)
    queued = states.queued(episode, at)
    claimed = states.claimed(queued.episode, "w", a_lease(id), at)
    transcribed = states.transcribed(claimed.episode, {}, audio_s, at + 180, 180.0)
    engine.ledger.record([a_change(episode), queued, claimed, transcribed])


def paid(engine: Engine, id: str, hour: float, **work_s: float) -> Bill:
    """An instance that was launched then, for work and nine minutes beside it."""
    began = month_span(month_of(engine.clock()))[0] + hour * 3600
    use = Use(work_s={k.replace("_", "-"): v for k, v in work_s.items()}, start_up_s=240.0, idle_s=300.0)
    instance = Instance(
        id=id,
        type="g5.xlarge",
        market=Market.ON_DEMAND,
        launched_at=began,
        ended_at=began + use.billed_s,
    )
    prices = Listed("us-east-1")
    on_demand, fee = prices.on_demand("g5.xlarge"), prices.fee("g5.xlarge")
    assert on_demand
    assert fee
    paid_h = hours(use.billed_s)
    return engine.ledger.enter(
        bill_of(instance, use, [item("instance", paid_h, on_demand), item("fee", paid_h, fee)])
    )


@pytest.fixture
def aws(deployed: DeployedSite, at: Callable[[str], Engine]) -> Engine:
    """Three episodes, each of which an instance was started for."""
    deployed.clock.go_on(time.time() - deployed.clock())
    engine = at(AWS.format(name=deployed.names.name))
    for number in range(3):
        done(engine, f"show-{number}", 1.0 + number / 2)
        paid(engine, f"i-{number}", 1.0 + number / 2, **{f"show_{number}": 180.0})
    return engine


def test_a_month_of_aws(aws: Engine) -> None:
    """720 s at 1.006 + 0.0785 an hour are 21.69 cents, three times."""
    said = shown()
    assert (said["by"], said["paid"], said["imagined_on"]) == ("month", True, None)
    (month,) = said["rows"]
    assert month["usd"] == pytest.approx(3 * 0.2169)
    assert month["parts"] == {
        "work": pytest.approx(3 * 0.054225),
        "start-up": pytest.approx(3 * 0.0723),
        "idle": pytest.approx(3 * 0.090375),
        "standing": 0,
    }
    assert (month["episodes"], month["audio_s"]) == (3, 10_800)
    assert month["usd_per_audio_h"] == pytest.approx(0.2169)
    assert {price["of"] for price in said["prices"]} == {"instance", "fee"}
    assert all("shipped with Proofcast" in price["source"] for price in said["prices"])
    assert said["month"]["budget_usd"] == 40


def test_what_would_have_saved_how_much(aws: Engine) -> None:
    advice = {each["change"]: each for each in shown()["advice"]}
    batched = advice["poll_min = 60 instead of 5: several episodes a start"]
    assert batched["share"] > 0.2  # fewer starts
    assert batched["later_s"] > 600
    assert advice["scale_in_after_s = 0 instead of 600"]["share"] > 0.2
    others = [each for each in advice if each.endswith("instead of g5.xlarge on-demand")]
    assert {each.split()[1] for each in others} == {"on-demand", "spot"}
    shares = [each["share"] for each in shown()["advice"]]
    assert shares == sorted(shares, reverse=True)
    assert all(each["usd"] == pytest.approx(each["share"] * 3 * 0.2169) for each in advice.values())


def test_an_episode_line_by_line(aws: Engine) -> None:
    said = shown("show-1")
    assert said["usd"] == pytest.approx(0.2169)
    assert {(line["what"], line["part"]) for line in said["lines"]} == {
        (what, part) for what in ("instance", "fee") for part in ("work", "start-up", "idle")
    }
    work = next(line for line in said["lines"] if (line["what"], line["part"]) == ("instance", "work"))
    assert work["quantity"] == pytest.approx(0.05)
    assert (work["unit"], work["unit_usd"], work["usd"]) == ("h", 1.006, pytest.approx(0.0503))
    assert "2026-02-07" in work["source"]
    assert "US$ 0.2169 for Title show-1" in run("show-1").stdout
    (episode,) = [e for e in aws.ledger.episodes() if e.id == "show-1"]
    assert float(sum(episode.charges.values())) == pytest.approx(0.2169)


def test_csv_has_a_line_for_each_row_that_adds_up(aws: Engine) -> None:
    rows = list(csv.DictReader(io.StringIO(run("--by", "episode", "--csv").stdout)))
    assert [row["name"] for row in rows] == ["show-0", "show-1", "show-2"]
    assert sum(Decimal(row["usd"]) for row in rows) == sum(
        (bill.usd for bill in aws.ledger.bills()), Decimal(0)
    )
    lines = list(csv.DictReader(io.StringIO(run("show-1", "--csv").stdout)))
    assert sum(Decimal(line["usd"]) for line in lines) == aws.ledger.bills()[1].usd


def test_csv_holds_no_formula_and_no_line_break_of_a_feeds(aws: Engine) -> None:
    titles = ["=1+1", "+1", "-1", "@SUM(A1)", '\t=HYPERLINK("x"), "y"', "two\nlines\x1b[0m"]
    for number, title in enumerate(titles):
        episode = replace(an_episode(f"odd-{number}"), title=title)
        aws.ledger.record([a_change(episode)])
        paid(aws, f"i-odd-{number}", 4.0 + number, **{f"odd_{number}": 60.0})
    text = run("--by", "episode", "--csv").stdout
    rows = {row["name"]: row["title"] for row in csv.DictReader(io.StringIO(text))}
    assert [rows[f"odd-{number}"] for number in range(6)] == [
        *("'=1+1", "'+1", "'-1", "'@SUM(A1)", '\'=HYPERLINK("x"), "y"', "two lines [0m"),
    ]
    assert len(text.splitlines()) == 1 + 3 + 6


def test_tables_say_what_was_wasted(aws: Engine) -> None:
    said = run("--by", "episode").stdout
    assert "US$ 0.65 for 3 episodes, 3:00:00 of audio, US$ 0.217 an hour of it" in said
    assert "start-up  US$ 0.22, 33% of what instances cost" in said
    assert "idle      US$ 0.27, 42% of what instances cost" in said


def test_another_month_has_nothing(aws: Engine) -> None:
    assert shown("--month", "2020-01")["rows"] == []
    told = run("--month", "2020-01").stdout
    assert "nothing is billed in 2020-01" in told
    assert "until now" not in told
    assert "until now" in run().stdout


def test_pictures(aws: Engine, tmp_path: Path) -> None:
    assert "Costs by episode" in run("--by", "episode", "--plot").stdout
    run("--by", "instance", "--plot", str(tmp_path / "costs.svg"))
    assert "<svg" in (tmp_path / "costs.svg").read_text()


def test_beside_what_aws_billed(aws: Engine, deployed: DeployedSite) -> None:
    tag = {TAG: deployed.names.name}
    day = datetime.fromtimestamp(aws.clock(), UTC).date().replace(day=1)
    fee = "USE1-ECS-Managed-Instances:g5.xlarge-management-hours"
    deployed.account.costs.activated.add(TAG)
    deployed.account.costs.lines = [
        Line(day=day, usage_type="BoxUsage:g5.xlarge", unblended="0.70", quantity="0.6", tags=tag),
        Line(day=day, usage_type=fee, unblended="0.0471", quantity="0.6", tags=tag),
    ]
    said = shown("--bill")
    rows = {row["kind"]: row for row in said["rows"]}
    assert rows["instance"]["measured"] == pytest.approx(0.6036)
    assert rows["instance"]["billed"] == pytest.approx(0.70)
    assert rows["instance"]["difference"] == pytest.approx(0.0964)
    assert rows["instance"]["why"]
    assert rows["secret"]["measured"] > 0  # what stands there in the month that is not over
    assert said["difference"] == pytest.approx(sum(row["difference"] for row in rows.values()))
    told = run("--bill")
    assert "US$ 0.01 a request" in told.stderr
    assert "+0.10" in told.stdout


def test_on_ones_own_machine_nothing_is_paid_and_aws_had_been_paid(at: Callable[[str], Engine]) -> None:
    engine = at(LOCAL)
    assert shown()["rows"] == []
    assert len(run("--csv").stdout.splitlines()) == 1
    engine.ledger.record([a_change(an_episode("show-new", title="New"))])
    assert run("show-new").stdout == "nothing is billed of New\n"
    assert len(run("show-new", "--csv").stdout.splitlines()) == 1
    for number in range(2):
        done(engine, f"show-{number}", 1.0 + number, audio_s=3600.0 * (1 + number))
    said = shown("--by", "episode")
    assert (said["paid"], said["imagined_on"]) == (False, "managed g4dn.xlarge spot, us-east-1")
    long, short = said["rows"]
    assert (long["name"], short["name"]) == ("show-1", "show-0")
    assert long["usd"] == pytest.approx(2 * short["usd"])
    assert said["total"]["usd"] == pytest.approx(long["usd"] + short["usd"])
    assert shown("show-0")["usd"] == pytest.approx(short["usd"])
    told = run().stdout
    assert "US$ 0.00: this machine is your own" in told
    assert "a month for what stands there all the time" in told
    assert "assumed: 0.5 of the on-demand price" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--month", "soon"), "'soon' is no month"),
        (("--bill",), "nobody bills this machine"),
        (("--bill", "--csv"), "--bill is of a whole month"),
        (("show-1", "--bill"), "--bill is of a whole month"),
        (("show-1", "--plot"), "--plot is of many episodes"),
        (("--csv", "--json"), "--csv and --json"),
        (("--json", "--plot"), "needs a file"),
        (("show-9",), "there is no episode"),
        (("--by", "episode", "--plot", "costs.gif"), ".svg"),
    ],
)
def test_mistakes_are_told(at: Callable[[str], Engine], arguments: tuple[str, ...], words: str) -> None:
    done(at(LOCAL), "show-1", 1.0)
    with pytest.raises(ConfigError) as told:
        run(*arguments)
    assert words in f"{told.value}"


def test_only_a_budget_that_is_there_is_released(
    at: Callable[[str], Engine], request: pytest.FixtureRequest
) -> None:
    at(LOCAL)
    none = CliRunner().invoke(cli, ["release", "--budget"])
    assert isinstance(none.exception, ConfigError)
    assert "there is no budget" in str(none.exception)
    request.getfixturevalue("aws")
    assert "work goes on" in CliRunner().invoke(cli, ["release", "--budget"]).stdout


def test_who_would_work_beyond_the_budget_is_told(aws: Engine) -> None:
    open_ = BudgetState(month=month_of(aws.clock()))
    aws.ledger.keep_budget(replace(open_, held="it is spent", held_at=aws.clock()), open_)
    told = CliRunner().invoke(cli, ["work", "--drain"])
    assert "the month's budget is used up" in told.stderr
    assert told.exit_code == 0
