"""Ports that let a test end the program, or fail, between two calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

Port = TypeVar("Port")


class Crash(KeyboardInterrupt):
    """The process is gone: of all that is raised, this is what nothing in it catches."""


class Outage:
    """Ends the program just before its n-th call, from 0, to the ports it guards.

    That is also just after the call before it.
    """

    def __init__(self, at: int) -> None:
        self._left = at

    def guard(self, port: Port) -> Port:
        return _wrapped(port, self._call)

    def _call(self, name: str, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise Crash(name)
        return method(*arguments, **options)


def failing(port: Port, name: str, error: Exception, *, times: int = 1, after: int = 0) -> Port:
    """A port of which one method fails so many times, after so many good calls."""
    calls = 0

    def call(called: str, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += called == name
        if called == name and after < calls <= after + times:
            raise error
        return method(*arguments, **options)

    return _wrapped(port, call)


def then(port: Port, name: str, act: Callable[[], object]) -> Port:
    """A port that lets somebody else act once, just after one of its methods returned."""
    waiting = [act]

    def call(called: str, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        result = method(*arguments, **options)
        if called == name and waiting:
            waiting.pop()()
        return result

    return _wrapped(port, call)


def _wrapped(port: Port, call: Callable[..., Any]) -> Port:
    class Wrapped:
        def __getattr__(self, name: str) -> Any:
            return partial(call, name, getattr(port, name))

    return cast(Port, Wrapped())
