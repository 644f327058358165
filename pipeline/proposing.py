"""What a language model is asked for, and how it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import ProofcastError


@dataclass(frozen=True, slots=True)
class Answer:
    """Edits as the model worded them, which are checked by who asked; and what it counts and is paid for."""

    edits: tuple[Any, ...]
    input_tokens: int
    output_tokens: int


class RefineError(ProofcastError):
    """A model did not answer, or not in a way that can be used; `final` if asking again is no use."""

    def __init__(self, message: str, hint: str = "", *, final: bool = False) -> None:
        super().__init__(message, hint)
        self.final = final


Ask = Callable[[str, str, Mapping[str, Any]], Answer]
"""Given instructions, a prompt and the JSON schema of an object with `edits`. Raises RefineError."""
