"""Files of a page."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from broker.net.http.exchange import Peer
from broker.net.http.site import Site
from broker.net.http.static import page_routes, takes_gzip
from tests.net.http.conversation import Conversation, Received

PAGE = '<script src="./page/app.js"></script><img src="./page/none.svg">'
FILES = {"index.html": PAGE, "app.js": 'import "./other.js"; "./index.html"', "other.js": "", "style.css": "a{}"}


def served(folder: Path, files: dict[str, str]) -> Conversation:
    for name, text in files.items():
        (folder / name).write_text(text)
    return Conversation(page_routes(folder, "all"))


def version_in(answer: Received) -> str:
    found = re.search(r"\?v=(\w+)", answer.body.decode())
    assert found is not None
    return found[1]


def test_page_is_at_the_root_and_its_files_are_below_it(tmp_path: Path) -> None:
    conversation = served(tmp_path, FILES)

    page, style = conversation.ask("/"), conversation.ask("/page/style.css")

    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (style.status, style.headers["content-type"], style.body) == (200, "text/css; charset=utf-8", b"a{}")


@pytest.mark.parametrize(
    "target", ["/page", "/page/", "/page/index.html", "/page/../app.js", "/page/%2e%2e/setup.cfg", "/page/a%2Fb", "//"]
)
def test_nothing_else_is_served(tmp_path: Path, target: str) -> None:
    assert served(tmp_path, FILES).ask(target).status == 404


def test_references_to_files_have_their_version_and_others_are_left_alone(tmp_path: Path) -> None:
    conversation = served(tmp_path, FILES)

    page, script = conversation.ask("/"), conversation.ask("/page/app.js")

    version = version_in(page)
    assert page.body.decode() == PAGE.replace("app.js", f"app.js?v={version}")
    assert script.body.decode() == f'import "./other.js?v={version}"; "./index.html"'


def test_file_of_this_version_is_kept_for_ever_and_everything_else_is_asked_for_again(tmp_path: Path) -> None:
    conversation = served(tmp_path, FILES)
    version = version_in(conversation.ask("/"))

    def caching(target: str) -> str:
        return conversation.ask(target).headers["cache-control"]

    assert "immutable" in caching(f"/page/app.js?v={version}")
    assert [caching(each) for each in ("/", "/page/app.js", "/page/app.js?v=0")] == ["no-cache"] * 3


def test_version_is_another_when_any_file_is(tmp_path: Path) -> None:
    before = version_in(served(tmp_path, FILES).ask("/"))

    assert version_in(served(tmp_path, FILES).ask("/")) == before
    assert version_in(served(tmp_path, {**FILES, "style.css": "b{}"}).ask("/")) != before


def test_file_is_pressed_for_who_takes_that(tmp_path: Path) -> None:
    conversation = served(tmp_path, FILES)

    plain, pressed = conversation.ask("/"), conversation.ask("/", Accept_Encoding="br, gzip;q=0.8")

    assert "content-encoding" not in plain.headers
    assert pressed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(pressed.body) == plain.body
    assert plain.headers["vary"] == pressed.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP ; q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("x", False),
    ],
)
def test_gzip_is_taken_unless_it_is_left_out_or_has_no_weight(accepted: str, taken: bool) -> None:
    assert takes_gzip(accepted) is taken


@pytest.mark.parametrize("target", ["/", "/page/app.js"])
def test_page_may_run_and_load_what_comes_from_here_and_nothing_else(tmp_path: Path, target: str) -> None:
    headers = served(tmp_path, FILES).ask(target).headers

    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert "camera=()" in headers["permissions-policy"]


@pytest.mark.parametrize("secure", [False, True])
def test_browser_is_told_to_come_back_over_tls_where_it_came_over_tls(
    tmp_path: Path, secure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Site, "peer", lambda site, channel: Peer("192.0.2.7", secure))

    assert ("strict-transport-security" in served(tmp_path, FILES).ask("/").headers) is secure


def test_file_of_an_unknown_kind_is_refused_when_the_routes_are_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.exe"):
        served(tmp_path, {**FILES, "a.exe": ""})
