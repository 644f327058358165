from __future__ import annotations

import re
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.terminal import running
from tui.frame import Frame, load, painted, place, save
from tui.start import dashboard_of

START = [sys.executable, "-c", "from tui.start import main; main()"]
SHOWN = Frame(at=1000.0, lines=("\x1b[1;38;2;10;200;30mepisodes\x1b[0m 3", "! fail  s2e14", "last"))
COVER, UNCOVER = b"\x1b[?1049h", b"\x1b[?1049l"


def plain(codes: str) -> list[str]:
    """The rows that paint codes put on the screen, without their styles."""
    rows = re.split(r"\x1b\[\d+;\d+H", codes)[1:]
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", row) for row in rows]


def test_a_frame_is_kept_for_the_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.frame"
    save(path, SHOWN)
    save(path, SHOWN)
    assert load(path) == SHOWN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_frame_that_cannot_be_kept_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    save(tmp_path / "file" / "a.frame", SHOWN)
    (tmp_path / "folder.frame").mkdir()
    save(tmp_path / "folder.frame", SHOWN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.frame"]


@pytest.mark.parametrize("content", [b"", b"soon\nline", b"\xff\xfe", b"\x1b[2J"])
def test_what_is_no_frame_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.frame"
    path.write_bytes(content)
    assert load(path) is None
    assert load(tmp_path / "missing") is None


PIECES = [
    *("\x1b[2J", "\x1b[6n", "\x1bc", "\x1b", "\x9b2J", "\x07", "\x00", "\r", "\u202e", "\u2066"),
    *("\x1b]52;c;aGk=\x07", "\x1b]0;title\x1b\\", "\x1bP1$q\x1b\\"),
    *("\x1b[31m", "\x1b[1;38;2;1;2;3m", "[31", "m", "title", "日本", "é"),
]
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=3)).map("".join)


@given(HOSTILE)
def test_whoever_wrote_a_frame_it_holds_nothing_but_text_and_colours(line: str) -> None:
    with TemporaryDirectory() as folder:
        saved, by_hand = Path(folder, "saved"), Path(folder, "by hand")
        save(saved, Frame(at=0.0, lines=(line,)))
        by_hand.write_bytes(b"0\n" + line.encode("utf-8", "replace"))
        for path in (saved, by_hand):
            frame = load(path)
            assert frame is not None
            assert re.sub(r"\x1b\[[0-9;]*m", "", "".join(frame.lines)).isprintable()


def test_what_a_code_carried_goes_with_it(tmp_path: Path) -> None:
    line = "a\x1b]52;c;aGk=\x07b\x1b]8;;https://x\x1b\\c\x1b[2Jd\x1b[1me"
    save(tmp_path / "a.frame", Frame(at=0.0, lines=(line,)))
    assert load(tmp_path / "a.frame") == Frame(at=0.0, lines=("abcd\x1b[1me",))


def test_a_frame_says_how_old_it_is_in_its_first_line() -> None:
    codes = painted(SHOWN, SHOWN.at + 720, (40, 24), colour=True)
    *lines, label = plain(codes)
    assert lines == ["episodes 3", "! fail  s2e14", "last"]
    assert label == " last seen 12m ago "
    assert "\x1b[1;22H\x1b[0;1;7m last seen" in codes  # it ends in the last column
    assert "\x1b[1;38;2;10;200;30m" in codes


def test_a_frame_is_cut_to_a_smaller_terminal() -> None:
    codes = painted(SHOWN, SHOWN.at + 720, (12, 2), colour=True)
    assert plain(codes) == ["episodes 3", "! fail  s2e14", " last seen 1"]
    unwrapped, _, after = codes.partition("last seen")
    assert "\x1b[?7l" in unwrapped  # the terminal itself cuts, and wraps again afterwards
    assert "\x1b[?7h" in after


def test_without_colour_a_frame_keeps_what_is_bold_and_reversed() -> None:
    frame = Frame(at=0.0, lines=("\x1b[1ma\x1b[0m\x1b[1;7mb\x1b[mc\x1b[31md\x1b[1;48;5;7me",))
    codes = painted(frame, 60, (80, 24), colour=False)
    assert "\x1b[1ma\x1b[0m\x1b[1;7mb\x1b[mcde" in codes


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        (["tui"], "proofcast.toml"),
        (["-c", "a.toml", "tui"], "a.toml"),
        (["tui", "--config=b.toml", "--read-only"], "b.toml"),
        (["-c", "a.toml", "tui", "one.toml", "two.toml"], "one.toml"),
        (["tui", "--at", "costs", "--write"], "proofcast.toml"),
        (["tui", "--help"], None),
        (["tui", "--serve", "8000"], None),
        (["tui", "--serve=8000"], None),
        (["status"], None),
        (["show", "tui"], None),
        (["-c", "tui", "status"], None),
        ([], None),
    ],
)
def test_only_a_dashboard_begins_with_its_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], config: str | None
) -> None:
    (tmp_path / "proofcast.toml").touch()
    monkeypatch.chdir(tmp_path)
    assert dashboard_of(arguments) == (Path(config) if config else None)


def test_elsewhere_it_is_the_users_own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    config = dashboard_of(["tui"])
    assert config is not None
    assert config.name == "proofcast.toml"
    assert config.parent.name == "proofcast"


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config that nothing can be done with, and the frame of better days, 12 minutes ago."""
    config = tmp_path / "proofcast.toml"
    config.write_text("nothing = of this kind")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    save(place(config), Frame(at=time.time() - 720, lines=SHOWN.lines))
    return config


def ended(config: Path, *options: str, env: Mapping[str, str] | None = None) -> bytes:
    with running([*START, "-c", str(config), "tui", *options], 60, 10, env) as terminal:
        return terminal.rest()


def test_the_frame_is_there_first_and_a_complaint_is_not_lost_below_it(broken: Path) -> None:
    painted, end, after = ended(broken).partition(UNCOVER)
    assert painted.startswith(COVER)
    assert b"last seen 12m ago" in painted
    assert b"38;2;10;200;30" in painted
    assert end
    assert b"not TOML" in after
    assert COVER not in after


def test_no_colour_is_honoured_by_the_frame(broken: Path) -> None:
    written = ended(broken, env={"NO_COLOR": "1"})
    assert b"last seen 12m ago" in written
    assert b"38;2" not in written


@pytest.mark.parametrize("days", [-1, 8])
def test_no_frame_from_long_ago_or_from_the_future(broken: Path, days: int) -> None:
    save(place(broken), Frame(at=time.time() - days * 86_400, lines=SHOWN.lines))
    assert b"\x1b[?1049" not in ended(broken)


def test_where_there_is_no_terminal_there_is_no_frame(broken: Path) -> None:
    done = subprocess.run([*START, "-c", str(broken), "tui"], capture_output=True)
    assert done.returncode == 2
    assert b"\x1b" not in done.stdout + done.stderr


def test_the_frame_is_painted_before_anything_heavy_is_loaded() -> None:
    script = (
        "import sys, tui.start, tui.frame; from pathlib import Path\n"
        "tui.frame.place(Path('x')); tui.frame.load(Path('x'))\n"
        "print('\\n'.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (
        set(done.stdout.split()) & {"textual", "rich", "click", "msgspec", "pipeline.config", "json"} == set()
    )
