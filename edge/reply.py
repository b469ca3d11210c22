"""One answer of the guard to Caddy, in ASGI's messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from edge.ranges import Answer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class Reply:
    """One response. `gone` is true when the client has left: ASGI servers then drop what is sent."""

    def __init__(self, receive: Receive, send: Send, *, head: bool) -> None:
        self._send, self._head = send, head
        self._started = False
        self._watcher = asyncio.ensure_future(_until_disconnect(receive))

    @property
    def gone(self) -> bool:
        return self._watcher.done()

    def close(self) -> None:
        """Stop watching the connection."""
        self._watcher.cancel()

    async def start(self, status: int, headers: Headers) -> None:
        self._started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def hand_to_caddy(self) -> str:
        """The grant is made and the file is here."""
        await self.start(200, [(b"x-edge-serve", b"1"), (b"content-length", b"0")])
        await self.end()
        return "handed_to_caddy"

    async def text(self, body: bytes, outcome: str) -> str:
        headers = [(b"content-type", b"text/plain; version=0.0.4"), (b"content-length", b"%d" % len(body))]
        await self.start(200, headers)
        await self._send({"type": "http.response.body", "body": body})
        return outcome

    async def refuse(self, status: int, outcome: str = "") -> str:
        """An error without a body. After the first byte nothing can be said: the connection is cut."""
        if self._started:
            return "cut_off"
        headers = [(b"cache-control", b"no-store"), (b"content-length", b"0")]
        if status == 503:
            headers.append((b"retry-after", b"5"))
        await self.start(status, headers)
        await self.end()
        return outcome or str(status)

    async def send_answer(
        self, decided: Answer, pieces: AsyncIterator[bytes], outcome: str, check: Callable[[], None]
    ) -> str:
        """Status, headers and, where one belongs to it, the body. Raises what `pieces` and `check` raise.

        `check` is called before anything is sent and again before each piece.
        """
        check()
        if decided.status in (304, 416) or self._head:
            await self.start(decided.status, decided.headers)
            await self.end()
            return str(decided.status)
        first = await anext(pieces, b"")  # before the headers: what fails now can still be said
        check()
        await self.start(decided.status, decided.headers)
        await self._send({"type": "http.response.body", "body": first, "more_body": True})
        async for piece in pieces:
            if self.gone:
                return "left"
            check()
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self.end()
        return outcome


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
