"""Whether somebody who uses a server would be served: ask it for what it is there for."""

from __future__ import annotations

from dataclasses import dataclass

import urllib3

from app.stack.service import NotReady


@dataclass(frozen=True)
class FrontDoor:
    """Where people open the site on this machine: http://localhost:`port`, reached at 127.0.0.1."""

    port: int

    def ready(self) -> None:
        """GET /readyz through Caddy, the web and everything behind it. Raises NotReady."""
        timeout = urllib3.Timeout(connect=1, read=5)
        with urllib3.HTTPConnectionPool("127.0.0.1", self.port, timeout=timeout, retries=False) as pool:
            try:
                answer = pool.request("GET", "/readyz", headers={"Host": f"localhost:{self.port}"})
            except urllib3.exceptions.HTTPError as error:
                raise NotReady(f"the front door does not answer ({type(error).__name__})") from None
        if answer.status != 200:
            raise NotReady(f"/readyz answers {answer.status}")
