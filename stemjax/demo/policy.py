"""Content-Security-Policy: the page may load resources only from its own server."""

from typing import Any


class ContentSecurityPolicy:
    """ASGI middleware that adds a Content-Security-Policy header to each response."""

    def __init__(self, app: Any, policy: str):
        self.app, self.policy = app, policy

    async def __call__(self, scope, receive, send) -> None:
        async def send_with_header(message):
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", [])]
                headers.append((b"content-security-policy", self.policy.encode()))
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, send_with_header)
