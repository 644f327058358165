"""What the command line does with odd arguments, pipes, terminals and mistakes; each command is a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.adapters.sqlite import Database, SqliteLedger, SqliteQueue
from pipeline.config import FILE_NAME
from pipeline.model import Episode, Step
from pipeline.queueing import bury_given_up, relay
from pipeline.states import State, failed, skipped
from tests.builders import NOW, FakeClock
from tests.git_site import GitSite
from tests.scenes import now, queued, taken

COMMAND = str(Path(sys.executable).with_name("proofcast"))
NO_TEXT = os.fsdecode(b"caf\xe9")  #: an argument that is not UTF-8


@dataclass(frozen=True)
class Show:
    """A user's folder with the ledger and the queue of one show."""

    folder: Path
    ledger: SqliteLedger
    queue: SqliteQueue
    clock: FakeClock

    def run(self, *arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert b"Traceback" not in done.stderr
        return done

    def err(self, *arguments: str, code: int) -> str:
        return self.run(*arguments, code=code).stderr.decode()

    def configure(self, text: str) -> None:
        (self.folder / FILE_NAME).write_text(text, encoding="utf-8")

    def failed(self, id: str, step: Step = Step.TRANSCRIBE) -> Episode:
        change = failed(queued(self.ledger, id), step, "no good", NOW)
        self.ledger.record([change])
        return change.episode

    def given_up(self, *ids: str) -> None:
        """Failed, and on the dead-letter list."""
        for id in ids:
            queued(self.ledger, id)
        relay(self.ledger, self.queue)
        for _ in range(3):
            for _ in ids:
                taken(self.ledger, self.queue, self.clock)
            self.clock.go_on(61)
        assert self.queue.lease(60) is None
        bury_given_up(self.ledger, self.queue, self.clock)

    def state(self, id: str) -> State:
        return now(self.ledger, id).state


@pytest.fixture
def show(tmp_path: Path) -> Show:
    database = Database(tmp_path / "proofcast-data" / "proofcast.db")
    clock = FakeClock()
    queue = SqliteQueue(database, max_receives=3, clock=clock)
    made = Show(tmp_path, SqliteLedger(database), queue, clock)
    made.configure('[[feed]]\nname = "show"\n')
    return made


@pytest.mark.parametrize("reference", [NO_TEXT, "show#" + "9" * 5000, "show#²", "", "größe", f"{NO_TEXT}#1"])
def test_what_can_be_no_episode_is_none(show: Show, reference: str) -> None:
    queued(show.ledger)
    assert "there is no episode" in show.err("show", reference, code=2)


def test_an_episode_by_its_number(show: Show) -> None:
    queued(show.ledger, number=7)
    assert json.loads(show.run("show", "show#007", "--json").stdout)["id"] == "show-1"


def test_a_file_whose_name_is_no_text_can_be_added(show: Show) -> None:
    audio = Path(os.fsdecode(os.fsencode(show.folder) + b"/caf\xe9.mp3"))
    audio.write_bytes(b"audio")
    show.run("add", str(audio), "--feed", "show")
    show.run("add", str(audio), "--feed", "show", "--title", NO_TEXT)
    assert [episode.title for episode in show.ledger.episodes()] == ["caf "]


@pytest.mark.parametrize(
    ("encoding", "printed"), [("ascii", "utf-8"), ("latin-1", "latin-1"), ("utf-8", "utf-8")]
)
def test_titles_are_printed_whatever_the_terminal_knows(show: Show, encoding: str, printed: str) -> None:
    queued(show.ledger, title="Zoë 字幕")
    for command in (["episodes"], ["show", "show-1"]):
        out = show.run(*command, PYTHONIOENCODING=encoding).stdout
        assert "Zoë 字幕".encode(printed, "replace") in out
    rows = json.loads(show.run("episodes", "--json", PYTHONIOENCODING=encoding).stdout.decode("utf-8"))
    assert rows[0]["title"] == "Zoë 字幕"


def closed_early(show: Show, arguments: Sequence[str]) -> tuple[int, bytes]:
    """A command whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [COMMAND, *arguments], cwd=show.folder, stdout=writing, stderr=subprocess.PIPE
    ) as process:
        os.close(writing)
        _, err = process.communicate()
        return process.returncode, err


@pytest.mark.parametrize("command", ["episodes", "episodes --json", "status", "--help", "show --help"])
def test_a_closed_pipe_is_no_failure(show: Show, command: str) -> None:
    queued(show.ledger)
    assert closed_early(show, command.split()) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk to write to")
def test_output_to_a_full_disk_is_said_once(show: Show) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [COMMAND, "status"]
        done = subprocess.run(command, cwd=show.folder, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 75
    assert done.stderr == b"proofcast: No space left on device\n"


def on_a_terminal(show: Show, *arguments: str, columns: int = 80, **environment: str) -> str:
    """What a command shows on a terminal."""
    import pty

    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **environment}
    process = subprocess.Popen([COMMAND, *arguments], cwd=show.folder, env=env, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:  # how Linux says that nobody has the other end any more
        pass
    os.close(ours)
    process.wait()
    return shown.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal")
def test_colours_are_for_terminals_and_can_be_refused(show: Show) -> None:
    for command in (["show", "nothing"], ["doctor"]):
        assert "\x1b[" in on_a_terminal(show, *command, NO_COLOR="")
        assert "\x1b[" not in on_a_terminal(show, *command, NO_COLOR="1")
    assert b"\x1b[" not in show.run("doctor").stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal")
def test_a_table_is_cut_to_the_terminal_where_it_may_be_and_never_on_a_pipe(show: Show) -> None:
    id, title = "show-" + "3" * 60, "A very long title " * 20
    queued(show.ledger, id, title=title, number=12)
    shown = on_a_terminal(show, "episodes", columns=120).splitlines()
    assert len(shown[1]) <= 120
    assert id in shown[1]
    assert "…" in shown[1]
    assert id in on_a_terminal(show, "episodes", columns=40)
    piped = show.run("episodes", COLUMNS="40").stdout.decode().splitlines()
    assert id in piped[1]
    assert title in piped[1]
    assert len(piped) == 2


def test_what_nobody_expected_is_one_line(show: Show) -> None:
    script = (
        "import pipeline.console as console, pipeline.cli as cli, sys\n"
        "def broken(*_): raise ZeroDivisionError('by\\nzero')\n"
        "console.configs.load = broken\n"
        "sys.argv = ['proofcast', 'status']\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=show.folder, capture_output=True, check=False)
    assert done.returncode == 1
    first, hint = done.stderr.decode().splitlines()
    assert first == "proofcast: unexpected ZeroDivisionError: by zero (<string>:2)"
    assert "report" in hint


def test_what_was_given_up_is_brought_back_once_and_what_was_left_out_stays_out(show: Show) -> None:
    show.given_up("show-1", "show-2")
    show.ledger.record([skipped(now(show.ledger, "show-2"), NOW, "by hand")])
    done = show.run("retry", "show-1", "show-1", "--dead")
    assert done.stdout == b"show-1: queued\n"
    assert (show.state("show-1"), show.state("show-2")) == (State.QUEUED, State.SKIPPED)
    assert show.run("retry", "--dead").stdout == b""


def test_a_skip_takes_the_job_off_the_list_of_what_was_given_up(show: Show) -> None:
    show.given_up("show-1")
    show.run("skip", "show-1")
    assert show.state("show-1") is State.SKIPPED
    assert show.queue.dead_letters() == []


def test_a_retry_can_give_an_episode_its_number(show: Show) -> None:
    show.failed("show-1")
    show.failed("show-2")
    show.run("retry", "show-1", "--number", "12")
    assert (show.state("show-1"), now(show.ledger, "show-1").number) == (State.QUEUED, 12)
    assert "one episode" in show.err("retry", "show-1", "show-2", "--number", "12", code=2)
    assert "one episode" in show.err("retry", "--dead", "--number", "12", code=2)
    assert show.state("show-2") is State.FAILED


def test_a_wrong_word_does_not_keep_the_other_reviews(show: Show) -> None:
    show.failed("show-1", Step.REVIEW)
    show.failed("show-2", Step.DECODE)
    done = show.run("review", "open", "nothing", "show-2", "show-1", code=1)
    assert b"there is no episode 'nothing'" in done.stderr
    assert b"show-2: it is failed" in done.stderr
    assert b"show-1: queued" in done.stdout
    assert (show.state("show-1"), show.state("show-2")) == (State.QUEUED, State.FAILED)


def test_reviews_that_failed_for_good_are_among_those_to_open(show: Show) -> None:
    show.failed("show-1", Step.REVIEW)
    show.failed("show-2", Step.DECODE)
    assert show.run("review", "open").stdout.startswith(b"show-1: queued")


@pytest.mark.parametrize(
    "command", ["poll", "add FILE --feed show", "work --drain", "review open", "review sync"]
)
def test_a_layout_that_does_not_exist_is_found_before_anything_is_done(show: Show, command: str) -> None:
    queued(show.ledger)
    show.configure('[[feed]]\nname = "show"\nlayout = "plane"')
    audio = show.folder / "audio.mp3"
    audio.write_bytes(b"audio")
    said = show.err(*command.replace("FILE", str(audio)).split(), code=2)
    assert "feed 'show': there is no layout named 'plane'" in said
    assert show.state("show-1") is State.QUEUED


def test_a_layout_that_can_not_work_is_found_even_if_nobody_uses_it_yet(show: Show) -> None:
    show.configure('[layout.mine]\nvtt = "all.vtt"')
    assert "layout 'mine': all episodes would have the one path" in show.err("work", "--drain", code=2)
    show.run("status")


def test_a_drained_queue_says_what_waits_for_another_try(show: Show) -> None:
    queued(show.ledger)
    relay(show.ledger, show.queue)
    lease = show.queue.lease(60)
    assert lease
    show.clock.now = 4_000_000_000.0  # far from now: not ready for whoever works today
    show.queue.release(lease, 60)
    assert "another try: 1" in show.err("work", "--drain", code=0)


def test_doctor_looks_at_every_layout_and_asks_of_a_repository_what_work_will(show: Show) -> None:
    site = GitSite.made(show.folder / "site")
    (site.folder / "inner").mkdir()
    show.configure(
        '[[feed]]\nname = "a"\nlayout = "plane"\n'
        '[[feed]]\nname = "b"\nrepository = "site/inner"\n'
        '[[feed]]\nname = "c"\nrepository = "site"\n'
        '[[feed]]\nname = "d"\nrepository = "site"\nbase = "trunk"\n'
        '[transcribe]\nmodel = "packaged"\n'
        '[layout.mine]\nvtt = "all.vtt"\n'
    )
    findings = json.loads(show.run("doctor", "--json", code=1).stdout)
    states = {finding["check"]: finding["state"] for finding in findings}
    assert states["layout of a"] == states["layout mine"] == "failed"
    assert [states[f"repository of {name}"] for name in "bcd"] == ["failed", "ok", "failed"]
    assert all(finding["mend"] for finding in findings if finding["state"] != "ok")


def test_doctor_never_sends_people_to_itself(show: Show) -> None:
    show.ledger.counts()
    for path in (show.folder / "proofcast-data").glob("proofcast.db*"):
        path.unlink()
    (show.folder / "proofcast-data" / "proofcast.db").write_bytes(b"no database at all" * 500)
    out = show.run("doctor", code=1).stdout.decode()
    assert "can't be used" in out
    assert "proofcast doctor" not in out


@pytest.mark.parametrize(
    "url", ["example.com/feed.xml", "ftp://example.com/feed", "https://", 'https://a/"', "x y"]
)
def test_init_wants_an_address_on_the_web(show: Show, url: str) -> None:
    (show.folder / FILE_NAME).unlink()
    assert "not an address on the web" in show.err("init", url, code=2)
    assert not (show.folder / FILE_NAME).exists()


@pytest.mark.parametrize("command", [["status"], ["poll"], ["retry", "show-1"], ["review", "sync"], ["work"]])
def test_the_engine_on_aws_without_boto3_says_what_to_install(tmp_path: Path, command: list[str]) -> None:
    config = tmp_path / "proofcast.toml"
    config.write_text(
        'engine = "aws"\n[aws]\nregion = "eu-west-1"\n[[feed]]\nname = "show"\nurl = "https://a.example/f"\n'
        'repository = "https://github.com/ann/site"\n'
    )
    script = (
        "import sys\nsys.modules['boto3'] = sys.modules['botocore'] = None\n"
        "from pipeline.cli import main\n"
        f"sys.argv = ['proofcast', '-c', {str(config)!r}, *{command!r}]\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2), done.stderr
    assert done.stderr.count("needs boto3") == 1
    assert "fault of proofcast" not in done.stderr
