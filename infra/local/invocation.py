"""Invoking a function, however it runs: the interface the gateway dispatches through."""

from typing import Any, Protocol

from infra.local.template import Function


class InvocationError(Exception):
    """The function crashed, ended or ran out of its own time; the text is for the log."""


class Dispatcher(Protocol):
    """Runs functions."""

    async def invoke(self, function: Function, event: dict[str, Any], request_id: str) -> Any:  # noqa: ANN401 - whatever a handler returns
        """The function's answer as plain JSON; raises InvocationError."""
        ...

    async def close(self) -> None:
        """Let go of threads or processes."""
        ...
