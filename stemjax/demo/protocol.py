"""Connections to the page: one that does not send its request in time is closed."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 15.0
"""From the connection, or the first byte of a further request, to the end of its header."""
BODY_SECONDS = 60.0
"""From the end of the header to the end of the body."""
MAX_CONNECTIONS = 400
"""Further ones are closed at once, so that files can still be opened."""


class TimedProtocol(H11Protocol):
    """HTTP protocol whose requests have deadlines; uvicorn has none for half a request."""

    deadline: asyncio.TimerHandle | None = None
    is_reading_body = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._set_deadline(HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            if not self.is_reading_body:
                self.is_reading_body = True
                self._set_deadline(BODY_SECONDS)
            return
        self.is_reading_body = False
        if state is not h11.IDLE:  # the request is whole
            self._clear_deadline()
        elif self.deadline is None:
            self._set_deadline(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        self.deadline = self.loop.call_later(seconds, self.transport.abort)

    def _clear_deadline(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
