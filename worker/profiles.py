"""What a show's people sound like, learnt from episode to episode; only where the config asks for it.

A profile is the mean of a person's embeddings, weighted by how long they were heard. It is kept as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import StorageError
from worker.diarizing import Diarization
from worker.voices import Floats

if TYPE_CHECKING:
    from worker.naming import Name

LEARNT_S = 20.0  #: a voice heard for less is not learnt
SURE = 0.8  #: nor one whose name is less sure
KEPT_S = 7200.0  #: a profile never weighs more, so that it follows a voice that changes


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A voice: an embedding of length 1, and the seconds it was learnt from (at most `KEPT_S`)."""

    embedding: Floats
    seconds: float


class _Stored(msgspec.Struct):
    seconds: float
    embedding: list[float]


class _Document(msgspec.Struct):
    voices: dict[str, _Stored]
    version: int = 1


def profiles_to_bytes(profiles: Mapping[str, Profile]) -> bytes:
    """JSON, one name after another; numbers with five decimals."""
    voices = {
        name: _Stored(round(each.seconds, 1), [round(number, 5) for number in each.embedding.tolist()])
        for name, each in sorted(profiles.items())
    }
    return msgspec.json.encode(_Document(voices=voices))


def profiles_from_bytes(data: bytes) -> dict[str, Profile]:
    """Raises StorageError for what isn't from `profiles_to_bytes`."""
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(
            f"the voice profiles can't be read: {error}", "remove them; they are learnt anew"
        ) from None
    return {
        name: Profile(unit(np.array(each.embedding, dtype=np.float32)), each.seconds)
        for name, each in document.voices.items()
    }


def learnt(
    profiles: Mapping[str, Profile], diarization: Diarization, names: Mapping[str, Name]
) -> dict[str, Profile]:
    """The profiles with what this episode tells of those whose names are sure; learn from each but once."""
    result = dict(profiles)
    for label, name in names.items():
        seconds = diarization.seconds.get(label, 0.0)
        voice = diarization.voices.get(label)
        if voice is not None and name.sure >= SURE and seconds >= LEARNT_S:
            result[name.text] = _added(profiles.get(name.text), voice, seconds)
    return result


def _added(profile: Profile | None, voice: Floats, seconds: float) -> Profile:
    if profile is None or profile.embedding.shape != voice.shape:  # none yet, or another model's
        return Profile(voice, min(seconds, KEPT_S))
    mean = profile.embedding * profile.seconds + voice * seconds
    return Profile(unit(mean), min(profile.seconds + seconds, KEPT_S))


def unit(vector: NDArray[np.floating]) -> Floats:
    """The same direction, of length 1."""
    return (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)
