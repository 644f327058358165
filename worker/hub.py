"""Models from the Hugging Face hub, through faster-whisper's own loader."""

from __future__ import annotations

import difflib
import logging
import re
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from pipeline.errors import ModelError

Say = Callable[[str], None]
Bytes = Callable[[int, int], None]
"""Told bytes done and expected while a model is downloaded."""

REACH_S = 4.0  #: how long the hub may take to answer at all

NAME_IT = (
    "set model under [transcribe] to a folder that holds one, to a size such as 'small', or to 'packaged'"
)


def fetched(name: str, say: Say, progress: Bytes | None) -> Path:
    """The model's folder in Hugging Face's cache, downloaded if it is not there. Raises ModelError."""
    local = cached(name)
    if local:
        return local
    from faster_whisper.utils import download_model

    reachable(name)
    say(f"downloading the model '{name}', once")
    with _explained(name), _quiet(), _shown(progress):
        return Path(cast("str", download_model(name)))


def reachable(name: str) -> None:
    """Ask the hub for any answer at all. Raises ModelError.

    Its own client waits for one without limit; this does not.
    """
    from huggingface_hub import constants, get_session

    with _explained(name):
        get_session().head(constants.ENDPOINT, timeout=REACH_S)


def cached(name: str) -> Path | None:
    from faster_whisper.utils import available_models, download_model

    try:
        with _quiet():
            folder = Path(cast("str", download_model(name, local_files_only=True)))
    except ValueError:  # neither a size nor an id
        near = difflib.get_close_matches(name, available_models(), n=1)
        hint = f"did you mean '{near[0]}'?" if near else NAME_IT
        raise ModelError(f"there is no model '{name}'", hint) from None
    except OSError:
        return None
    # An interrupted download leaves a folder with only the small files.
    return folder if Path(folder, "model.bin").is_file() else None


@contextmanager
def _explained(name: str) -> Generator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the hub's client raises what its HTTP library raises
        raise ModelError(f"the model '{name}' can't be downloaded ({_reason(error)})", NAME_IT) from None


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    if type(cause).__name__ == "OfflineModeIsEnabled":
        return "HF_HUB_OFFLINE is set"
    words = str(cause).strip().splitlines()
    return re.sub(r"^\[Errno .*?\] ", "", words[0]).rstrip(".") if words else type(cause).__name__


@contextmanager
def _quiet() -> Generator[None]:
    """The hub's client warns of things that are no news to our users: no token, no symlinks…"""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _shown(progress: Bytes | None) -> Generator[None]:
    """Tell `progress` how a download goes.

    faster-whisper's loader takes no callback: it always passes its own silent `disabled_tqdm` to
    the hub's client. Lending that name to a class that reports is the only way in that keeps its
    list of names and files; the alternative is a copy of the loader.
    """
    if progress is None:
        yield
        return
    from faster_whisper import utils

    silent, utils.disabled_tqdm = utils.disabled_tqdm, _reporting(utils.disabled_tqdm, progress)
    try:
        yield
    finally:
        utils.disabled_tqdm = silent


def _reporting(silent: type[Any], progress: Bytes) -> type[Any]:
    """`silent` draws nothing; this one counts. The client counts files and bytes, in several bars."""
    most = 0

    class Reporting(silent):
        n: float
        total: float | None

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)  # pyright: ignore[reportUnknownMemberType] - tqdm has no types
            self.counts_bytes = kwargs.get("unit") == "B"

        def update(self, n: float | None = 1) -> None:
            nonlocal most
            self.n += n or 0
            if self.counts_bytes and self.total:
                most = max(most, int(self.n))
                progress(most, max(most, int(self.total)))

    return Reporting
