"""What sources make of an engine, on both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import states
from pipeline.model import BudgetState, Event, Market, Progress, State, Step
from pipeline.ports import Ledger
from pipeline.reporting import By
from pipeline.tariff import month_of
from tests.builders import a_change, a_failure, a_review, an_episode
from tests.scenes import after
from tests.tui.chaos import HOSTILE
from tests.tui.conftest import Site
from tests.tui.scene import Log, paid
from tui.backend import Source
from tui.sources.costs import CostsSource
from tui.sources.detail import DetailSource, timeline
from tui.sources.episodes import EpisodesSource
from tui.sources.fleet import FleetSource
from tui.sources.log import LogSource
from tui.sources.reviews import ReviewsSource
from tui.sources.said import bar, length, span
from tui.sources.status import StatusSource
from tui.values import Line, Snapshot


def cell(source: Source, line: Line, key: str) -> str:
    return line.cells[[column.key for column in source.columns].index(key)]


def value(source: Source, line: Line, key: str) -> object:
    return line.values[[column.key for column in source.columns].index(key)]


def by_id(snapshot: Snapshot) -> dict[str, Line]:
    return {line.id: line for line in snapshot.lines}


# Every source


def sources(site: Site) -> Sequence[Source]:
    at = site.engine
    classes = (StatusSource, EpisodesSource, FleetSource, CostsSource, ReviewsSource)
    return [each(at) for each in classes] + [
        LogSource(at),
        LogSource(at, "show-1"),
        DetailSource(at, "show-1"),
    ]


def test_whatever_a_publisher_writes_every_source_is_printable_and_in_shape(site: Site) -> None:
    hostile = [an_episode(f"show-{n}", title=title, link=title) for n, title in enumerate(HOSTILE[1:], 1)]
    site.engine.ledger.record([a_change(episode) for episode in hostile])
    site.in_review("show-r", ("well", 0.2), speaker=HOSTILE[1], title=HOSTILE[0])
    failed = replace(a_failure(), reason=HOSTILE[1])
    site.has("show-f", state=State.FAILED, title=HOSTILE[0], failure=failed, link="javascript:alert(1)")
    site.has("show-h", state=State.HELD, reason=HOSTILE[2])
    for source in sources(site):
        first = source.read()
        second = source.read()
        assert second.version > first.version
        assert second.source == source.name
        for line in second.lines:
            assert len(line.cells) == len(line.values) == len(source.columns)
            assert all(text.isprintable() and len(text) <= 2000 for text in (*line.cells, line.why, line.url))
            assert not line.url or line.url.startswith("http")
        assert all(isinstance(hold, str) for hold in second.facts.get("holds", ()))


def test_an_engine_that_is_out_of_reach_is_an_error_in_words(local: Site) -> None:
    data = local.engine.config.data_dir
    data.parent.mkdir(exist_ok=True)
    data.write_text("not a folder")
    with pytest.raises(Exception, match=r"proofcast-data"):
        EpisodesSource(local.engine).read()


# Status


def test_the_first_line_of_every_screen(site: Site) -> None:
    worker = site.workers.begin()
    taken = site.taken("show-1", worker)
    site.queued("show-2")
    site.has("show-3", state=State.FAILED, failure=a_failure())
    assert taken.claim
    progress = Progress(done_s=10.0, total_s=60.0, speed=12.5, at=site.clock())
    site.engine.ledger.heartbeat("show-1", taken.claim, progress)
    source = StatusSource(site.engine)
    facts = source.read().facts
    assert facts["episodes"] == {"transcribing": 1, "queued": 1, "failed": 1}
    assert (facts["workers"], facts["instances"], facts["dead"]) == (1, 1, 0)
    assert facts["speeds"] == (12.5,)
    assert facts["budget_usd"] == (40 if site.remote else None)
    assert (facts["usd"] is None) is not site.remote
    if site.remote:
        month = month_of(site.clock())
        held = BudgetState(month=month, held=f"the budget of {month} is spent", held_at=site.clock())
        site.engine.ledger.keep_budget(held, BudgetState(month=month))
        (hold,) = source.read().facts["holds"]
        assert hold.startswith("no workers for ")
        assert hold.endswith(f"the budget of {month} is spent")
        return
    for _ in range(70):
        facts = source.read().facts
    assert len(facts["speeds"]) == 60


# Episodes


def test_each_state_says_its_word_and_what_comes_next(local: Site) -> None:
    site, worker = local, "worker-1"
    running = site.taken("show-1", worker, number=7, title="Ship it")
    assert running.claim
    site.engine.ledger.heartbeat(
        "show-1", running.claim, Progress(done_s=600.0, total_s=2400.0, speed=10.0, at=site.clock())
    )
    site.queued("show-2")
    site.has("show-3", state=State.FAILED, failure=a_failure(), attempts=3)
    site.has("show-4", state=State.HELD, reason="many are new at once")
    site.in_review("show-5", ("well", 0.9), review=a_review(url="https://github.com/a/b/pull/12"))
    site.has("show-6", state=State.PUBLISHED, review=a_review(), duration_s=3900.0)
    site.has("show-7", state=State.SKIPPED, reason="older than the first poll")
    site.has("show-8", state=State.REJECTED, review=a_review())
    site.has("show-9", state=State.DISCOVERED)
    source = EpisodesSource(site.engine)
    lines = by_id(source.read())
    assert [cell(source, lines[f"show-{n}"], "state") for n in range(1, 10)] == [
        *("* run", ". queue", "! fail", "? held", "= review", "+ done", "- skip", "x closed", ". new"),
    ]
    one = lines["show-1"]
    assert cell(source, one, "episode") == "show#7 Ship it"
    assert cell(source, one, "done") == " 25% ="
    assert one.why == "10m of 40m done at 10.0x, about 3m left, by worker-1"
    assert (one.task, one.lost) == (worker, "show#7 is given back: 0s of work")
    assert lines["show-3"].why == "download: no answer; retry brings it back, skip leaves it out"
    assert lines["show-3"].task == "show-3"
    assert lines["show-4"].why == "many are new at once - release queues it, skip leaves it out"
    assert lines["show-5"].url == "https://github.com/a/b/pull/12"
    assert cell(source, lines["show-5"], "pr") == "#12"
    assert cell(source, lines["show-6"], "dur") == "1h05m"


def test_a_worker_that_went_silent_is_not_said_to_work(local: Site) -> None:
    local.taken("show-1", "worker-1")
    local.clock.go_on(700)
    (line,) = EpisodesSource(local.engine).read().lines
    assert line.why == "worker-1 was last heard of 1m ago; another one takes over"


class Counting:
    """A ledger that counts what it is asked for."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> object:
        def call(*arguments: object, **options: object) -> object:
            whole = name == "episodes" and not options.get("state")
            self.asked.append("everything" if whole else name)
            return getattr(self._ledger, name)(*arguments, **options)

        return call


@pytest.fixture
def asked(local: Site) -> list[str]:
    """What the local ledger is asked."""
    counting = Counting(local.engine.ledger)
    vars(local.engine)["ledger"] = counting
    return counting.asked


def test_a_page_comes_first_then_everything_then_only_what_moves(local: Site, asked: list[str]) -> None:
    done = {"updated_at": local.clock(), "state": State.PUBLISHED}
    episodes = [an_episode(f"show-{n:03}", published=local.clock() + n, **done) for n in range(700)]
    local.engine.ledger.record([a_change(episode) for episode in episodes])
    source = EpisodesSource(local.engine)
    first = source.read()
    assert (len(first.lines), first.facts["whole"], source.interval_s) == (200, False, 0.0)
    whole = source.read()
    assert (len(whole.lines), whole.facts["whole"], source.interval_s) == (700, True, 1.0)
    assert [line.id for line in whole.lines] == [f"show-{n:03}" for n in reversed(range(700))]
    asked.clear()
    assert source.read().lines is whole.lines
    assert "everything" not in asked
    assert len(asked) <= 4


def test_whatever_moves_is_seen_by_the_next_reading(site: Site) -> None:
    ledger, clock = site.engine.ledger, site.clock
    taken = site.taken("show-1", "worker-1")
    published = site.in_review("show-2", ("well", 0.9))
    source = EpisodesSource(site.engine)
    source.read()
    source.read()
    assert taken.claim
    ledger.heartbeat("show-1", taken.claim, Progress(done_s=30.0, total_s=60.0, speed=2.0, at=clock()))
    assert cell(source, by_id(source.read())["show-1"], "done") == " 50% =="
    ledger.record([states.given_back(taken, clock(), "it stopped", a_failure())])
    line = by_id(source.read())["show-1"]
    assert cell(source, line, "state") == ". queue"
    assert "after try 1 failed at download: no answer" in line.why
    site.has("show-3")
    assert "show-3" in by_id(source.read())
    assert published.review
    ledger.record([states.concluded(published, published.review, clock())])
    assert cell(source, by_id(source.read())["show-2"], "state") == "x closed"


def test_what_counts_do_not_tell_is_found_after_a_while(local: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    local.has("show-1", state=State.PUBLISHED)
    source = EpisodesSource(local.engine)
    source.read()
    source.read()
    local.engine.ledger.record([after(local.engine.ledger.episodes()[0], title="Corrected")])
    assert cell(source, source.read().lines[0], "episode") == "show One"
    monkeypatch.setattr("tui.sources.episodes._WHOLE_S", (0.0, 0.0))
    assert cell(source, source.read().lines[0], "episode") == "show Corrected"


def test_ages_grow_and_what_reads_alike_sorts_alike(local: Site) -> None:
    local.has("show-1", state=State.PUBLISHED)
    local.clock.go_on(10)
    local.has("show-2", state=State.PUBLISHED)
    source = EpisodesSource(local.engine)
    source.read()
    for passed, said in ((5, ["5s", "15s"]), (50, ["55s", "1m"]), (10, ["1m", "1m"]), (7200, ["2h", "2h"])):
        local.clock.go_on(passed)
        lines = source.read().lines
        assert [cell(source, line, "age") for line in lines] == said
    assert [value(source, line, "age") for line in lines] == [7200.0, 7200.0]
    local.clock.go_on(-7000)
    assert cell(source, source.read().lines[0], "age") == "4m"


@given(st.floats(0, 1e9))
def test_spans_are_short_and_last_until_they_read_otherwise(seconds: float) -> None:
    said = span(seconds)
    assert 0 <= seconds - said.seconds < said.unit
    assert len(said.text) <= 6
    assert span(said.seconds).text == said.text
    assert len(length(seconds)) <= 10


@given(st.floats(allow_nan=False))
def test_bars_have_their_place(share: float) -> None:
    assert len(bar(share)) <= 10


# Fleet


def test_workers_and_machines_and_what_is_lost_by_stopping(site: Site) -> None:
    worker = site.workers.begin()
    taken = site.taken("show-1", worker, number=7)
    site.clock.go_on(840)
    source = FleetSource(site.engine)
    found = source.read()
    task, machine = found.lines
    assert (task.id, task.task, task.episode) == (worker, worker, "show-1")
    assert cell(source, task, "state") == cell(source, machine, "state") == "* works"
    assert (cell(source, task, "kind"), cell(source, machine, "kind")) == ("worker", "instance")
    assert task.lost.startswith("show#7 is given back: 14m of work")
    assert found.facts["live"] == 1
    if site.remote:
        # g6.xlarge on spot, shipped: half of 0.8048, and the fee of 0.0628
        hour = value(source, machine, "hour")
        assert isinstance(hour, float)
        assert cell(source, machine, "type") == "g6.xlarge"
        assert found.facts["usd_h"] == pytest.approx(Decimal(str(hour)))
        assert task.lost.endswith(f"about ${hour * 840 / 3600:.2f}")
        assert float(cell(source, machine, "cost")) > hour * 840 / 3600
    else:
        assert (cell(source, machine, "hour"), found.facts["usd_h"]) == ("", None)
        assert "load" in machine.why
    site.engine.ledger.record([states.given_back(taken, site.clock(), "done with it")])
    site.clock.go_on(300)
    task, machine = source.read().lines
    assert cell(source, task, "state") == cell(source, machine, "state") == "- idle"
    assert cell(source, task, "idle") == cell(source, machine, "idle") == "5m"
    assert task.lost == ""


def test_capacity_that_waits_and_capacity_that_was_refused(
    open_site: Callable[[str], Site], request: pytest.FixtureRequest
) -> None:
    site = open_site("aws")
    ecs = request.getfixturevalue("deployed").account.ecs
    (waiting,) = site.engine.fleet.start(1, Market.SPOT)
    source = FleetSource(site.engine)
    (line,) = source.read().lines
    assert cell(source, line, "state") == ". waits"
    assert line.why == "no instance yet: asked for 0s ago"
    site.clock.go_on(300)
    ecs.interrupt(waiting.id)
    site.clock.go_on(200)
    site.engine.fleet.survey()
    ended = by_id(source.read())[waiting.id]
    assert cell(source, ended, "state") == "- stopped"
    assert "ago: " in ended.why
    worker = site.workers.begin()
    site.workers.kill(worker)
    died = by_id(source.read())[worker]
    assert cell(source, died, "state") == "! died"
    assert "exit code 137" in died.why


# Costs


def test_costs_add_up_by_whatever_is_asked_for(
    open_site: Callable[[str], Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = open_site("aws")
    for number in range(3):
        site.has(f"show-{number}", state=State.PUBLISHED, duration_s=3600.0, title=f"Title {number}")
        paid(site, f"i-{number}", **{f"show_{number}": 180.0})
    source = CostsSource(site.engine)
    month = source.read()
    (row,) = month.lines
    assert cell(source, row, "cost") == "0.651"
    assert cell(source, row, "waste") == "75%"
    assert row.why.endswith("75% of what its instances cost")
    assert month.facts["usd"] == sum((bill.usd for bill in site.engine.ledger.bills()), Decimal(0))
    assert month.facts["budget_usd"] == 40
    assert month.facts["imagined_on"] is None
    assert [usd for _, usd in month.facts["days"]] == [month.facts["usd"]]
    source.by = By.EPISODE
    episodes = source.read()
    assert episodes.facts["columns"][0].key == "episode"
    assert sorted((line.id, line.episode, line.cells[0]) for line in episodes.lines) == [
        (f"show-{n}", f"show-{n}", f"Title {n}") for n in range(3)
    ]
    paid(site, "i-3", show_1=180.0)
    source.by = By.INSTANCE
    assert len(source.read().lines) == 3  # bills are read again when the interval is over
    monkeypatch.setattr(CostsSource, "every_s", (0.0, 0.0))
    assert sorted(line.id for line in source.read().lines) == ["i-0", "i-1", "i-2", "i-3"]


def test_on_ones_own_machine_costs_are_what_they_would_have_been(local: Site) -> None:
    site, now = local, local.clock()
    episode = site.taken("show-1", "worker-1", duration_s=3600.0, queued_at=now)
    site.engine.ledger.record([states.transcribed(episode, {}, 3600.0, now + 180, 180.0)])
    found = CostsSource(site.engine).read()
    assert found.facts["imagined_on"] == "managed g4dn.xlarge spot, us-east-1"
    assert found.facts["usd"] > 0
    assert (found.facts["month_usd"], found.facts["budget_usd"]) == (None, None)
    detail = DetailSource(site.engine, "show-1").read()
    assert detail.facts["usd"] == found.facts["usd"]


# Reviews


def test_reviews_say_where_to_look(site: Site) -> None:
    site.in_review("show-1", ("Well", 0.9), ("Kubernetes", 0.2), ("then", 0.49), speaker="Speaker 1")
    site.in_review("show-2", ("Fine", 0.99), artifacts={})
    site.clock.go_on(7200)
    source = ReviewsSource(site.engine)
    first = by_id(source.read())
    assert cell(source, first["show-1"], "doubts") == ""
    assert source.interval_s < 1
    lines = by_id(source.read())
    one = lines["show-1"]
    assert [cell(source, one, key) for key in ("doubts", "unnamed", "words", "age")] == ["2", "1", "3", "2h"]
    assert "2 of 3 words are doubtful, 1 speaker without a name" in one.why
    assert lines["show-2"].why == "its transcript is gone from the store"
    assert source.interval_s >= 10
    site.engine.artifacts.delete("show/show-1/transcript.json")
    assert by_id(source.read())["show-1"] == one  # it is read once


# Logs


def test_only_new_lines_are_added_and_an_episode_leads_to_its_last_workers_log(
    site: Site, request: pytest.FixtureRequest
) -> None:
    log = Log(site, request)
    source = LogSource(site.engine, log.task)
    assert source.read().lines == ()
    log.write("2026-11-24 12:46:07,123 show-1: download", "Traceback (most recent call last):")
    first = source.read()
    assert first.facts["appended"] == 2
    assert first.lines[0].cells == ("12:46:07", "", "show-1: download")
    assert first.lines[1].tone == "bad"
    assert source.read().lines is first.lines
    log.write("same", "same")
    log.write("same")
    second = source.read()
    assert [line.id for line in second.lines] == ["1", "2", "3", "4", "5"]
    assert second.lines[:2] == first.lines
    assert (second.facts["appended"], second.facts["first"]) == (3, 1)
    taken = site.taken("show-1", log.task)
    assert LogSource(site.engine, "show-1").read().facts["of"] == log.task
    site.engine.ledger.record([states.failed(taken, Step.DECODE, "not audio", site.clock())])
    again = LogSource(site.engine, "show-1").read()
    assert (again.facts["of"], again.lines) == (log.task, second.lines)


def test_the_poller_has_a_log_where_a_clock_polls(
    open_site: Callable[[str], Site], request: pytest.FixtureRequest
) -> None:
    assert "cron" in LogSource(open_site("local").engine).read().facts["empty"]
    site = open_site("aws")
    source = LogSource(site.engine)
    assert source.read().facts["empty"] == ""
    deployed = request.getfixturevalue("deployed")
    logs = deployed.clients.logs()
    logs.create_log_group(logGroupName=deployed.names.poller_log)
    logs.create_log_stream(logGroupName=deployed.names.poller_log, logStreamName="a")
    now = int(site.clock() * 1000)
    said = "[WARNING]\t2026-11-24T12:46:07.123Z\t7c6e\tdispatch: {}\n"
    logs.put_log_events(
        logGroupName=deployed.names.poller_log,
        logStreamName="a",
        logEvents=[
            {"timestamp": now - 2 * 3_600_000, "message": "long ago"},
            {"timestamp": now, "message": said},
        ],
    )
    (line,) = source.read().lines
    assert line.cells == ("12:46:07", "WARNING", "dispatch: {}")


def test_thousands_of_lines_a_second_are_cheap_and_the_last_are_kept(local: Site) -> None:
    told: list[str] = []
    vars(local.engine)["fleet"] = Talking(told)
    source = LogSource(local.engine, "worker-1")
    took_s: list[float] = []
    for reading in range(20):
        told[:] = [*told, *(f"line {reading} {n}" for n in range(700)), "x" * 90_000][-1000:]
        took_s.append(source.read().took_s)
    found = source.read()
    assert len(found.lines) == 5000
    assert (found.lines[-1].id, found.facts["first"]) == (f"{20 * 701}", 20 * 701 - 4999)
    assert all(len(line.cells[2]) <= 2000 for line in found.lines)
    assert sorted(took_s)[10] < 0.2


class Talking:
    """A fleet whose worker writes without end."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def log(self, task_id: str) -> list[str]:
        return list(self._told)


@given(
    st.lists(st.sampled_from("ab"), max_size=30),
    st.lists(st.sampled_from("ab"), max_size=30),
    st.integers(1, 20),
)
def test_a_window_that_moves_on_loses_and_repeats_nothing(
    before: list[str], more: list[str], size: int
) -> None:
    """As long as the lines in it differ: they are numbered here."""
    from tui.sources.log import _appended  # pyright: ignore[reportPrivateUsage]

    all_ = [f"{number} {text}" for number, text in enumerate([*before, *more])]
    seen = all_[: len(before)][-size:]
    now = all_[-size:]
    assert list(_appended(seen, now)) == all_[max(len(before), len(all_) - size) :]


# Detail


def test_everything_about_an_episode(site: Site) -> None:
    engine, clock = site.engine, site.clock
    taken = site.taken("show-1", "worker-1", number=7, title="Ship it", duration_s=3600.0)
    for step in (Step.DOWNLOAD, Step.TRANSCRIBE):
        clock.go_on(60)
        change = states.at_step(taken, step, clock())
        engine.ledger.record([change])
        taken = change.episode
    clock.go_on(90)
    source = DetailSource(engine, "show#7")
    found = source.read()
    assert [(phase.name, phase.state, phase.took_s) for phase in found.facts["timeline"]] == [
        ("queue", "done", 0.0),
        ("start", "done", 60.0),
        ("download", "done", 60.0),
        ("transcribe", "now", 90.0),
        ("store", "next", None),
        ("review", "next", None),
        ("people", "next", None),
    ]
    assert found.facts["lost"] == "show#7 is given back: 4m of work"
    assert [line.cells[1] for line in found.lines] == [". new", ". queue", "* run", "* run", "* run"]
    assert ("length", "1h00m") in found.facts["about"]
    engine.ledger.record([states.failed(taken, Step.TRANSCRIBE, "no model (get one)", clock())])
    found = source.read()
    assert found.facts["timeline"][-1].state == "failed"
    assert found.facts["error"]["reason"] == "no model (get one)"
    assert "doctor" in found.facts["error"]["to_do"]
    assert found.facts["task"] == "show-1"


def test_what_a_transcript_and_its_bills_say(open_site: Callable[[str], Site]) -> None:
    site = open_site("aws")
    site.in_review("show-1", ("Well", 0.9), ("Kubernetes", 0.2))
    episodes = EpisodesSource(site.engine)
    assert cell(episodes, episodes.read().lines[0], "cost") == ""
    site.clock.go_on(3600)
    bill = paid(site, "i-1", show_1=180.0)
    assert cell(episodes, episodes.read().lines[0], "cost") == "0.22"
    facts = DetailSource(site.engine, "show-1").read().facts
    assert facts["usd"] == bill.usd
    assert {cells[:2] for cells in facts["costs"]} == {
        (what, part) for what in ("instance", "fee") for part in ("work", "start-up", "idle")
    }
    assert all("shipped with Proofcast" in cells[5] for cells in facts["costs"])
    assert facts["quality"] == {"model": "tiny.en", "language": "en", "words": 2, "doubtful": 1, "unnamed": 0}
    assert dict(facts["artifacts"])["transcript"].startswith("s3://")
    assert facts["review"][2] == "open"


def test_an_episode_that_is_not_there_is_told(local: Site) -> None:
    with pytest.raises(Exception, match="there is no episode 'show-9'"):
        DetailSource(local.engine, "show-9").read()


@given(st.lists(st.tuples(st.sampled_from(list(State)), st.sampled_from([None, *Step])), max_size=12))
def test_a_timeline_of_any_history_has_an_order_and_no_negative_time(
    said: list[tuple[State, Step | None]],
) -> None:
    events = [Event(at=float(n), version=n, state=state, step=step) for n, (state, step) in enumerate(said)]
    phases = timeline(events, 50.0)
    assert [phase.state for phase in phases if phase.state == "now"] in ([], ["now"])
    assert all((phase.took_s or 0.0) >= 0 for phase in phases)
    begun = [phase.began_at for phase in phases if phase.began_at is not None]
    assert begun == sorted(begun)


def test_workers_on_aws_have_a_page_in_its_console(open_site: Callable[[str], Site]) -> None:
    site = open_site("aws")
    (task,) = site.engine.fleet.start(1)
    (line,) = FleetSource(site.engine).read().lines
    assert line.url.startswith("https://us-east-1.console.aws.amazon.com/ecs/v2/clusters/")
    assert line.url.endswith(f"/tasks/{task.id}")
