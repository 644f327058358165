"""Everything that can go wrong and that a user should read about.

An error says what happened and where; its `hint` says what to do next. `exit_code` is what the
command line ends with: 1 something failed, 2 wrong usage or config, 75 try again later.
"""

from __future__ import annotations

import errno


class ProofcastError(Exception):
    """Base of all; the command line prints it without a traceback."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(ProofcastError):
    """The config, or the way a command was called, can't be right."""

    exit_code = 2


class Busy(ProofcastError):
    """Another process is doing this already."""

    exit_code = 75


class FeedError(ProofcastError):
    """A feed could not be fetched or read; `status` is the server's answer where there was one."""

    def __init__(self, message: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(message, hint)
        self.status = status


class DownloadError(ProofcastError):
    """Audio could not be fetched; worth another try unless `permanent`."""

    def __init__(
        self, message: str, hint: str = "", *, permanent: bool = False, status: int | None = None
    ) -> None:
        super().__init__(message, hint)
        self.permanent = permanent
        self.status = status


class AudioError(ProofcastError):
    """The audio can't be used: not audio, damaged, empty, silent. Trying again won't help."""


class ModelError(ProofcastError):
    """The speech model can't be had or can't do what was asked."""


class LanguageError(ModelError):
    """The model at hand does not know an episode's language; it may well know the next one's."""


class GpuFault(ModelError):
    """The GPU failed in the midst of an episode: this process can't go on, and the audio may be why."""


class RecognitionError(ProofcastError):
    """A model that works failed at some audio; another try may fare better."""


class CodeHostError(ProofcastError):
    """A review could not be opened or read."""


class StorageFull(ProofcastError):
    """There is no room left on a disk."""

    exit_code = 75


class StorageError(ProofcastError):
    """The data folder or its database can't be used."""


def one_line(text: str) -> str:
    """Text with nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)


def storage_error(error: OSError, place: object) -> StorageFull | StorageError:
    """What the system's complaint about a file or folder means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"the disk of {place} is full", "make room, then run again")
    return StorageError(f"{place} can't be used: {error.strerror}", "'proofcast doctor' checks it")


class Conflict(ProofcastError):
    """Somebody else changed the episode first; read it again."""


class LeaseLost(Conflict):
    """The lease is another worker's now; nothing more may be written under it."""


class IllegalMove(ProofcastError):
    """The state machine does not allow this."""
