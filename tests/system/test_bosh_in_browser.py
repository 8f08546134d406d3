"""strophe.js over BOSH in Chromium: a page that is left and comes back, and a broker that is killed (XEP-0124)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Browser, Page

from tests.page.browser import CHROMIUM, MISSING, PATIENCE, chromium
from tests.system.clients import install_javascript
from tests.system.launcher import ANY_PORTS, BrokerProcess
from tests.system.stream_client import StreamClient

pytestmark = pytest.mark.system

MESSAGES = 30
PAGE = """<!doctype html><title>BOSH</title><script src="/strophe.js"></script><script>
const { Strophe, $pres, $msg } = window.strophe ?? window;
const keep = (name, value) => sessionStorage.setItem(name, JSON.stringify(value));
const kept = (name, otherwise) => JSON.parse(sessionStorage.getItem(name)) ?? otherwise;
const connection = new Strophe.Connection("/http-bind", { keepalive: true });
window.statuses = [];
const onMessage = (stanza) => {
  const body = stanza.querySelector("body");
  if (body) keep("got", [...kept("got", []), body.textContent]);
  return true;
};
const onStatus = (status) => {
  window.statuses.push(status);
  if (status !== Strophe.Status.CONNECTED && status !== Strophe.Status.ATTACHED) return;
  connection.addHandler(onMessage, null, "message");
  if (status === Strophe.Status.CONNECTED) connection.send($pres());
};
window.say = (to, body) => connection.send($msg({ to, type: "chat" }).c("body").t(body));
if (kept("strophe-bosh-session")) connection.restore("joe@localhost/x", onStatus);
else connection.connect("joe@localhost/x", "secret", onStatus);
</script>"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    settings = {"xmpp.plainWithoutTls": "true"}
    broker = WithWeb(tmp_path_factory.mktemp("bosh") / "data", settings=settings)
    broker.add_accounts("joe", "jack")
    with broker:
        yield broker


class WithWeb(BrokerProcess):
    """A broker with a port of HTTP, which it has again when it was killed."""

    port_properties: Mapping[str, str] = ANY_PORTS | {"plugin/web/port": "0"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(MISSING)
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    installed = install_javascript(tmp_path_factory.mktemp("js"))
    return (installed / "node_modules" / "strophe.js" / "dist" / "strophe.umd.min.js").read_text()


def address(broker: BrokerProcess) -> str:
    """Of the page."""
    host, port = broker.address("WEB")
    return f"http://{host}:{port}"


def has_got(page: Page, bodies: list[str]) -> None:
    """Wait until the page has so many messages, and compare them."""
    page.wait_for_function(f"kept('got', []).length >= {len(bodies)}", timeout=2 * PATIENCE)
    assert page.evaluate("kept('got', [])") == bodies


def test_a_page_that_comes_back_and_one_whose_broker_is_killed_get_each_message_once(
    broker: BrokerProcess, browser: Browser, script: str
) -> None:
    jack = StreamClient(broker, "jack")
    assert jack.go_on()
    sent: list[str] = []

    def send() -> None:
        for _ in range(MESSAGES):
            sent.append(str(len(sent)))
            jack.send("joe@localhost/x", sent[-1])

    context = browser.new_context()
    page = context.new_page()
    origin = address(broker)
    page.route(f"{origin}/page", lambda route: route.fulfill(content_type="text/html", body=PAGE))
    page.route(f"{origin}/strophe.js", lambda route: route.fulfill(content_type="text/javascript", body=script))
    try:
        page.goto(f"{origin}/page")
        page.wait_for_function("window.statuses.includes(Strophe.Status.CONNECTED)", timeout=PATIENCE)
        send()
        has_got(page, sent)
        page.evaluate("say('jack@localhost/x', 'from a page')")
        jack.wait_for_message()
        assert jack.got == ["from a page"]

        page.goto("about:blank")
        send()
        page.goto(f"{origin}/page")
        has_got(page, sent)

        broker.kill()
        broker.start()
        jack.cut()
        assert jack.go_on()
        send()
        has_got(page, sent)

        page.evaluate("say('jack@localhost/x', 'still here')")
        jack.got.clear()
        jack.wait_for_message()
        assert jack.got == ["still here"]
    finally:
        context.close()
        jack.end()
