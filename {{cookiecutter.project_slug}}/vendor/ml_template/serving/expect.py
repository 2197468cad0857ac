"""A client that waits to be asked for its body (`Expect: 100-continue`) and is answered instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def closing(application: Application) -> Application:
    """The application, closing such a connection: another request may come in place of the body."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        asked = False

        async def ask() -> Message:
            nonlocal asked
            asked = True
            return await receive()

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start" and not asked and not scope["whole"]:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await application(scope, ask, tell)

    return answer
