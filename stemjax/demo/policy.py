"""A header with every answer: what the page may load, and from where."""

from typing import Any


class Policy:
    """ASGI middleware that adds a Content-Security-Policy."""

    def __init__(self, app: Any, policy: str):
        self.app, self.policy = app, policy

    async def __call__(self, scope, receive, send) -> None:
        async def with_header(message):
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", [])]
                headers.append((b"content-security-policy", self.policy.encode()))
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, with_header)
