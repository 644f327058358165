"""The dashboard: sources deliver, panes show, keys act. Nothing here waits for an engine."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

from textual import on, work
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import ContentSwitcher

from pipeline.errors import ConfigError, ProofcastError
from tui import desk, export, frame, places, themes, words
from tui.backend import Action, Backend, Renamed, Source
from tui.keys import BY_ID, KEYS, SCREENS, Key, remapped
from tui.places import Place
from tui.poller import Poller
from tui.query import amount
from tui.screens.ask import Ask
from tui.screens.confirm import Confirm
from tui.screens.detail import Detail
from tui.screens.help import Help
from tui.values import Freshness, Line, Snapshot, clean
from tui.widgets.bars import KeyBar, TabBar, TopBar, WhyLine
from tui.widgets.pane import Pane
from tui.widgets.side import Side
from tui.widgets.table import Table

_FRAME_S = 30.0
_ASIDE_S = 0.3
_TICK_S = 1.0  #: ages on the screen grow by so much at a time
_LONGEST_WARM_S = 7 * 86_400.0
_REST_S = 0.1  #: by which what is seen at first is read before the rest
_WHEN_SEEN = ("costs",)  #: what takes long to read is not read before somebody looks
_BY = ("month", "day", "episode", "show", "instance")


class Delivered(Message):
    """A source has something to say; it comes from the source's own thread."""

    def __init__(self, what: Snapshot | Freshness, by: Poller) -> None:
        super().__init__()
        self.what, self.by = what, by

    def can_replace(self, message: Message) -> bool:
        """Of several that wait, the last is enough."""
        return (
            isinstance(message, Delivered) and type(message.what) is type(self.what) and message.by is self.by
        )


class Dashboard(App[None]):
    """One screen of five panes, of which one is seen; questions and details lie over it."""

    TITLE = "Proofcast"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, f"do('{key.id}')", key.title, id=key.id, show=False, priority=False)
        for key in KEYS
        if key.id != "palette"
    ]

    def __init__(
        self,
        open_backend: Callable[[int], Backend],
        *,
        profiles: int = 1,
        place: Place | None = None,
        read_only: bool | None = None,
        keys: Mapping[str, str] | None = None,
        theme: str = "",
        ascii_only: bool = False,
        frame_file: Path | None = None,
        gone: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._ascii_only, self._frame_file, self._gone = ascii_only, frame_file, gone
        self.keys = remapped(keys or {})
        self.clock = clock
        self._open, self._profiles, self._profile = open_backend, profiles, 0
        self._wanted_read_only = read_only
        self._place = place or Place()
        themes.register(self)  # before there is anything that would be painted anew
        self.theme = theme or (themes.NO_COLOUR if "NO_COLOR" in os.environ else self.theme)
        self._pollers: dict[str, Poller] = {}
        self._paused = False
        self._aside: Timer | None = None
        self._by = 0
        self.backend = open_backend(0)
        self.freshness: dict[str, Freshness] = {}
        self.facts: Mapping[str, Any] = {}

    # What there is

    @property
    def read_only(self) -> bool:
        """The one place that decides it."""
        wanted = self._wanted_read_only
        return self.backend.production if wanted is None else wanted

    @property
    def here(self) -> str:
        """The screen that is seen."""
        return self.query_one("#body", ContentSwitcher).current or SCREENS[0]

    @property
    def snapshots(self) -> bool:
        """Whether anything was read yet."""
        return any(pane.snapshot for pane in self.query(Pane))

    @property
    def pane(self) -> Pane:
        return self.query_one(f"#{self.here}", Pane)

    def compose(self) -> ComposeResult:
        yield TopBar(id="top")
        yield TabBar(id="tabs")
        with ContentSwitcher(initial=self._place.screen, id="body"):
            for name in SCREENS:
                yield Pane(self.backend.sources.get(name), id=name)
        yield WhyLine(id="why")
        yield KeyBar(id="keys")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(themes.VARIABLES)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return themes.filters(self.theme, super().get_line_filters(), ascii=self._ascii_only)

    def on_mount(self) -> None:
        self.set_interval(_FRAME_S, self._keep_frame)
        self.set_keymap({id: keys for id, keys in self.keys.items() if keys != BY_ID[id].keys})

    def on_ready(self) -> None:
        """The screen is there: now sources may speak."""
        self.show(self._place)
        self.set_timer(_REST_S, self._start_sources)
        self.set_interval(_TICK_S, self._tick)

    def _keep_frame(self) -> None:
        """For the next start."""
        if self._frame_file and self.snapshots:
            frame.save(self._frame_file, export.capture(self, self.clock()))

    def on_unmount(self) -> None:
        for poller in self._pollers.values():
            poller.stop()

    # Sources deliver

    def _start_sources(self) -> None:
        if not self._whole:
            return
        for source in self.backend.sources.values():
            if source.name not in (*_WHEN_SEEN, *self._pollers):
                self._start(source)

    def _start(self, source: Source) -> None:
        """In the place of one of that name, of which nothing is to be heard any more."""
        name = source.name
        if name in self._pollers:
            self._pollers[name].stop()

        def deliver(what: Snapshot | Freshness) -> None:
            self.post_message(Delivered(what, poller))

        self._pollers[name] = poller = Poller(source, deliver, self.clock)
        poller.hidden(name in SCREENS and name != self.here)
        poller.start()

    @property
    def _whole(self) -> bool:
        """Whether all of the screen is there: not so while it begins and ends."""
        try:  # one by one, as Textual remembers these
            self.query_one(KeyBar)
            return all(self.query_one(f"#{name}", Pane).table.is_mounted for name in SCREENS)
        except NoMatches:
            return False

    def on_delivered(self, message: Delivered) -> None:
        what = message.what
        if not self._whole or self._pollers.get(what.source) is not message.by:
            return
        if isinstance(what, Freshness):
            self.freshness[what.source] = what
        elif what.source == "status":
            self.facts = what.facts
        elif what.source == "side":
            self.query_one(Side).accept(what)
        elif what.source in SCREENS:
            self.query_one(f"#{what.source}", Pane).accept(what)
        for screen in self.screen_stack:
            if isinstance(screen, Detail):
                screen.accept(what)
        self._tick()

    def _tick(self) -> None:
        """Ages grow; only lines whose words changed are painted. Nothing is left to do for who is gone."""
        if self._gone():
            self.exit()
        if not self._whole:
            return
        for screen in self.screen_stack:
            if isinstance(screen, Detail):
                screen.tell(self._age_of("detail"))
        self.query_one(TopBar).tell(self.backend.name, self.facts, self._age_of("status"), self.read_only)
        self.query_one(TabBar).tell(self.here, self.pane.told(), self._age_of(self.here))
        self.query_one(WhyLine).tell(self._why)
        self.query_one(KeyBar).tell(self.here, self.keys, read_only=self.read_only)

    @property
    def _why(self) -> str:
        """What is wrong with the filter, or with a source, else what the row under the cursor says."""
        table = self.pane.table
        if table.wanted.trouble:
            return f"left out of the filter: {table.wanted.trouble}"
        for source in (self.here, "status"):
            if source in self.freshness and self.freshness[source].trouble:
                return f"{source} {self._age_of(source)}"
        return table.cursor_line.why if table.cursor_line else ""

    def _age_of(self, source: str) -> str:
        return words.freshness(
            self.freshness.get(source, Freshness(source=source)), self.clock(), paused=self._paused
        )

    # Keys act

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What has no meaning here, or may not be done, does nothing."""
        if action != "do":
            return True
        return self._may(BY_ID[str(parameters[0])]) if len(self.screen_stack) == 1 else False

    def _may(self, key: Key) -> bool | None:
        if key.screens and self.here not in key.screens:
            return False
        return None if self.read_only and key.writes else True

    def action_do(self, id: str) -> None:
        """A key was pressed, or a command chosen."""
        action = self.backend.actions.get(id)
        if action:
            self._act(action, self.pane.chosen())
        elif id in SCREENS:
            self.show(Place(screen=id))
        elif self.pane.do(id):
            self._tick()  # what is said of a row is painted with it
        else:
            getattr(self, f"_do_{id}")()

    def show(self, place: Place) -> None:
        """Go there."""
        self.query_one("#body", ContentSwitcher).current = place.screen
        if place.screen not in self._pollers:
            self._start(self.backend.sources[place.screen])
        for name, poller in self._pollers.items():
            poller.hidden(name in SCREENS and name != place.screen)
        self.pane.table.focus()
        if place.filter:
            self.pane.filter(place.filter)
        if place.item and place.screen == "costs":
            self._add_up_by(place.item)
        elif place.item and place.screen == "log":
            self._follow(place.item)
        elif place.item:
            self._open_detail(place.item)
        self._tick()

    def _do_open(self) -> None:
        line = self.pane.table.cursor_line
        if line and line.episode:
            self._open_detail(line.episode)

    def _do_back(self) -> None:
        self.pane.filter("")

    def _do_filter(self) -> None:
        pane = self.pane
        before = pane.text

        def typed(text: str) -> None:
            pane.filter(text)
            self._tick()

        def done(text: str | None) -> None:
            typed(before if text is None else text)

        self.push_screen(Ask(BY_ID["filter"].about, before, typed, pane.complete), done)

    def _do_go(self) -> None:
        def done(text: str | None) -> None:
            if text:
                try:
                    self.show(places.parse(text))
                except ConfigError as error:
                    self.notify(f"{error}", severity="warning", markup=False)

        self.push_screen(Ask(BY_ID["go"].about), done)

    def _do_logs(self) -> None:
        line = self.pane.table.cursor_line
        if line:
            self._show_log(line)

    def _show_log(self, line: Line) -> None:
        if line.task:
            self.show(Place(screen="log", item=line.task))
        else:
            self.notify("no worker had it, so that there is no log")

    def _do_poller_log(self) -> None:
        self._follow("")

    def _do_by(self) -> None:
        self._by = (self._by + 1) % len(_BY)
        self._add_up_by(_BY[self._by])

    def _do_warm(self) -> None:
        def done(text: str | None) -> None:
            seconds = amount(text.strip()) if text else None
            if seconds is not None and 0 <= seconds <= _LONGEST_WARM_S:
                self._in_thread(lambda: self.backend.keep_warm(seconds))
            elif text:
                self.notify("as 2h or 45m, and 7d at most", severity="warning")

        self.push_screen(Ask(BY_ID["warm"].about), done)

    def _do_browse(self) -> None:
        line = self.pane.table.cursor_line
        if line:
            self._browse(line)

    def _browse(self, line: Line) -> None:
        if line.url:
            self._in_thread(lambda: desk.open_url(line.url, self._osc))
        else:
            self.notify("there is nothing to open")

    def _do_copy(self) -> None:
        ids = "\n".join(line.id for line in self.pane.chosen())
        if ids:
            self._in_thread(lambda: desk.copy(ids, self._osc))

    def _do_copy_command(self) -> None:
        text = self.backend.command(self.here, self.pane.table.cursor_line)
        self._in_thread(lambda: f"{desk.copy(text, self._osc)}: {text}")

    def _do_zoom(self) -> None:
        self.pane.toggle_class("-zoomed")
        self._look_aside()

    def _do_pause(self) -> None:
        self._paused = not self._paused
        for poller in self._pollers.values():
            (poller.pause if self._paused else poller.resume)()
        self._tick()

    def _do_refresh(self) -> None:
        for poller in self._pollers.values():
            poller.nudge()

    def _do_profile(self) -> None:
        if self._profiles < 2:
            self.notify("name several configs to go between: proofcast tui one.toml other.toml")
            return
        self._profile = (self._profile + 1) % self._profiles
        self._change_backend()

    def _do_theme(self) -> None:
        names = themes.NAMES
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]
        self.notify(f"theme: {self.theme}")

    def _do_export(self) -> None:
        def done(name: str | None) -> None:
            if name:
                try:
                    export.write(self, self.pane.view(), Path(name))
                    self.notify(f"written: {name}", markup=False)
                except ProofcastError as error:
                    self.notify(f"{error}", severity="error", markup=False)

        self.push_screen(Ask("export to (.txt, .json, .svg)", f"proofcast-{self.here}.txt"), done)

    def _do_help(self) -> None:
        self.push_screen(Help(self.here, self.keys, read_only=self.read_only))

    def _do_quit(self) -> None:
        self._keep_frame()
        self.exit()

    # What takes longer

    def do_with(self, id: str, line: Line) -> None:
        """What a key does, with a row that is not of the table that is seen."""
        action = self.backend.actions.get(id)
        if action and not self.read_only:
            self._act(action, [line])
        elif id == "logs":
            self._show_log(line)
        elif id == "browse":
            self._browse(line)

    def _act(self, action: Action, lines: Sequence[Line]) -> None:
        """Ask first, where something may be lost; then do it in a thread."""

        def done(yes: bool | None) -> None:
            if yes:
                self._run(action, [line.episode or line.id for line in lines])

        if action.asks:
            what = action.consequence(lines)
            self.push_screen(Confirm(action.title, what, len(lines)), done)
        else:
            done(True)

    def _run(self, action: Action, ids: Sequence[str]) -> None:
        self.notify(f"{action.title}…", timeout=2, markup=False)
        self._in_thread(lambda: action.run(ids), what=f"{action.title}: ")

    @work
    async def _in_thread(self, do: Callable[[], str], what: str = "") -> None:
        """Tell what came of it; then look again."""
        try:
            said = await asyncio.wrap_future(_begun(do))
            self.notify(clean(said), markup=False)
        except ProofcastError as error:
            self.notify(clean(f"{what}{error}"), severity="error", timeout=10, markup=False)
        except Exception as error:  # noqa: BLE001 - whatever an engine raises, the dashboard goes on
            self.notify(clean(f"{what}unexpected {error!r}"), severity="error", timeout=10, markup=False)
        self._do_refresh()

    def _open_detail(self, episode: str) -> None:
        source = self.backend.detail(episode)
        self.freshness.pop("detail", None)
        self._start(source)

        def done(wanted: tuple[str, Line] | None) -> None:
            self._pollers.pop("detail").stop()
            if wanted:
                self.do_with(*wanted)

        self.push_screen(Detail(episode), done)

    def _follow(self, task: str) -> None:
        source = self.backend.log(task)
        self.query_one("#log", Pane).restart(source)
        self._start(source)

    def _add_up_by(self, by: str) -> None:
        if by not in _BY:
            self.notify(f"costs are added up by {', '.join(_BY)}", severity="warning")
            return
        self._by = _BY.index(by)
        self.backend.by(by)
        self._pollers["costs"].nudge()

    def _change_backend(self) -> None:
        """To another engine, in place: panes are emptied, so that nothing of the one before is shown."""
        for poller in self._pollers.values():
            poller.stop()
        self._pollers.clear()
        self.freshness.clear()
        self.facts = {}
        self.backend = self._open(self._profile)
        for source in self.backend.sources.values():
            if source.name in SCREENS:
                self.query_one(f"#{source.name}", Pane).restart(source)
        self._start_sources()
        self.show(Place(screen=self.here))

    def _osc(self, sequence: str) -> None:
        if self._driver:
            self._driver.write(sequence)

    # What widgets say

    @on(Table.Highlighted)
    def _highlighted(self) -> None:
        self._tick()
        self._look_aside()

    def on_resize(self) -> None:
        self._look_aside()

    def _look_aside(self) -> None:
        """Read the episode under the cursor, a moment after it stopped there, where its page is seen."""
        if self._aside:
            self._aside.stop()
        self._aside = self.set_timer(_ASIDE_S, self._read_aside)

    def _read_aside(self) -> None:
        if not self._whole:
            return
        line = self.pane.table.cursor_line if self.here == "episodes" else None
        if line and self.query_one(Side).display:
            source = Renamed(self.backend.detail(line.episode or line.id), "side")
            self._start(source)
        elif "side" in self._pollers:
            self._pollers.pop("side").stop()

    @on(Table.Opened)
    def _opened(self) -> None:
        self._do_open()

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        """The palette: every key that means something here."""
        for key in KEYS:
            moves = key.id.startswith(("down", "up", "half", "page", "top", "bottom"))
            if self._may(key) and not moves and key.id != "palette":
                yield SystemCommand(key.title, key.about or key.title, lambda id=key.id: self.action_do(id))


def _begun(do: Callable[[], str]) -> Future[str]:
    """What comes of it, done in a thread that keeps nobody from leaving, as those of a pool would."""
    done = Future[str]()

    def run() -> None:
        try:
            done.set_result(do())
        except Exception as error:  # noqa: BLE001 - it is raised again where somebody waits for it
            done.set_exception(error)

    Thread(target=run, name="action", daemon=True).start()
    return done
