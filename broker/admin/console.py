"""The console: a page for people, which uses the API as any other client does."""

from __future__ import annotations

from importlib.resources import files

from broker.admin.roles import Right
from broker.net.http.routes import Route
from broker.net.http.static import page_routes

PACKAGE = "broker.admin"
FOLDER = "page"


def console_routes() -> list[Route]:
    """Its routes. They are for everybody: the files say nothing of this broker, and who has no role sees no more."""
    return page_routes(files(PACKAGE) / FOLDER, Right.ALL)
