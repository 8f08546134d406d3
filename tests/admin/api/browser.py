"""A browser that somebody administers with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from broker.admin.api.identity import identity_operations
from broker.admin.api.login import login_operations
from broker.admin.api.operations import Operation
from broker.auth.services import SecurityServices
from broker.auth.throttle import LoginThrottle
from tests.admin.api.desk import NOWHERE, Desk
from tests.auth.test_services import Scripted
from tests.net.http.conversation import Received

ROLES = {"admin.users": "boss", "admin.monitors": "watch"}
RIGHT = "right"
"""The password of everybody."""
HERE = "http://localhost"


def desk_of(settings: dict[str, str] | None = None, *, behind_proxy: bool = False, data: Path = NOWHERE) -> Desk:
    """A broker whose logins are checked, asked over HTTP."""
    desk = Desk(settings={**ROLES, **(settings or {})}, uid=None, behind_proxy=behind_proxy, data=data)
    services = SecurityServices(Scripted(), LoginThrottle(), desk.world.clock)
    desk.world.broker.authenticate = services.authenticate
    return desk


class Browser:
    """Keeps the cookie that it is given, and sends what a page of the site sends.

    Args:
        desk: that it asks.
        operations: beside those of logging in.
    """

    def __init__(self, desk: Desk | None = None, operations: Sequence[Operation] = ()) -> None:
        self.desk = desk or desk_of()
        gate = self.desk.gate
        self.operations = [*identity_operations(gate), *login_operations(self.desk.fake.access, gate), *operations]
        self.cookie = ""
        self.csrf = ""

    def log_in(self, user: str = "boss", password: str = RIGHT, **headers: str) -> Received:
        """Log in."""
        answer = self.send("login", "POST", {"user": user, "password": password}, **headers)
        if answer.status == 200:
            self.csrf = answer.json["csrfToken"]
        return answer

    def send(self, path: str, method: str = "GET", body: object = None, **headers: str) -> Received:
        """Send one request as it is, with the cookie."""
        fields = {"Cookie": self.cookie, **headers}
        answer = self.desk.ask(self.operations, f"/api/v1/{path}", method, body, **fields)
        self.cookie = answer.headers.get("set-cookie", self.cookie).partition(";")[0]
        return answer

    def change(self, path: str, method: str = "POST", body: object = None) -> Received:
        """Make a change as a page of the site does."""
        return self.send(path, method, body, Origin=HERE, X_Broker_CSRF=self.csrf)
