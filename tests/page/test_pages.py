"""Each page, in a browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from broker.client import ConnectOptions, PublishOptions
from tests.page.browser import Window, origin_of
from tests.page.population import ADMINISTRATOR, HOSTILE, MANY, MONITOR, NOBODY, PASSWORD, SETTINGS, crowd
from tests.system.http_client import ask_socket
from tests.system.launcher import BrokerProcess
from tests.system.native_client import connected

pytestmark = [pytest.mark.browser, pytest.mark.system]

JSON = {"Content-Type": "application/json"}
AXE = Path(__file__).parent / "axe" / "axe.min.js"
PAGES = {
    "overview": "Overview",
    "sessions": "Sessions",
    "queues": "Queues",
    "topics": "Topics",
    "subscriptions": "Subscriptions",
    "connections": "Connections",
    "dead": "Dead messages",
    "accounts": "Accounts",
    "listeners": "Listeners",
    "configuration": "Configuration",
    "diagnose": "Diagnose",
    "audit": "Audit",
    "events": "Events",
    "explain": "Explain",
    "tail?topic=news": "Tail",
    "operations": "Operations",
    "run-level": "Run level",
    "tokens": "Tokens",
    "definitions": "Definitions",
    "backups": "Backups",
    "sessions/visitor/1": "visitor/1",
    "queues/callback/visitor~1": "visitor~1",
    "topics/news": "news",
    "connections/1": "Connection",
    "accounts/visitor": "visitor",
    "run-level/ADMIN": "ADMIN",
}
ESCAPED = {
    "\u202egnp.exe\u2066": "\\u{202e}gnp.exe\\u{2066}",
    "zero\u200bwidth\u00adhyphen": "zero\\u{200b}width\\u{ad}hyphen",
}


def settle(window: Window, place: str, heading: str) -> Page:
    """Open a place and wait until all of it is there."""
    page = window.open(place).heading(heading).page
    page.locator(".level", has_text="ready").wait_for()
    if page.locator("table[role=grid]").count():
        window.rows().first.wait_for()
    return page


def violations(page: Page) -> list[str]:
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:200]} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("place", PAGES)
def test_page_keeps_nobody_from_using_it_in_light_and_dark_and_on_a_small_screen(window: Window, place: str) -> None:
    page = settle(window, place, PAGES[place])

    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert violations(page) == [], theme
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_what_the_policy_forbids_is_refused_by_the_browser(window: Window) -> None:
    page = settle(window, "overview", "Overview")

    # Later, as what is evaluated at once is the test's own and under no policy.
    refused = page.evaluate(
        """() => new Promise((resolve) => setTimeout(() => {
            const outcome = (work) => { try { work(); return "done"; } catch (error) { return error.name; } };
            const node = document.createElement("p");
            node.setAttribute("style", "color: red");
            resolve([outcome(() => eval("1")), outcome(() => { node.innerHTML = "<b>x</b>"; }), node.style.color]);
        }))"""
    )

    assert refused == ["EvalError", "TypeError", ""]
    window.errors.clear()  # the browser says so


def test_hostile_names_are_shown_as_they_are_and_lead_to_what_they_name(window: Window) -> None:
    page = settle(window, "topics", "Topics")

    for name in HOSTILE:
        shown = ESCAPED.get(name, name)
        text = shown[:300]
        link = page.locator("tbody a", has_text=text[:100])
        assert link.first.text_content() == (text if len(shown) <= 300 else f"{text}…")
        link.first.click()
        window.heading(text[:100])
        page.get_by_text("History").first.wait_for()
        page.go_back()
        window.heading("Topics").rows().first.wait_for()


def test_login_opens_the_page_that_was_asked_for(stranger: Window) -> None:
    stranger.open("queues?minEntries=1")

    stranger.log_in(password="wrong")
    stranger.page.get_by_role("alert").filter(has_text="password").wait_for()
    stranger.log_in()

    stranger.heading("Queues").rows().first.wait_for()
    assert stranger.page.url.endswith("#/queues?minEntries=1")


def test_account_without_a_role_is_told_so(stranger: Window) -> None:
    stranger.open().log_in(NOBODY)

    stranger.page.get_by_role("alert").filter(has_text="role").wait_for()


def test_who_may_only_look_sees_the_same_pages(stranger: Window) -> None:
    stranger.open("sessions").log_in(MONITOR)

    stranger.heading("Sessions").rows("visitor/1").wait_for()


def test_session_that_ends_asks_for_a_login_over_the_view_and_the_view_stays(stranger: Window) -> None:
    stranger.open("sessions/visitor/1").log_in()
    stranger.heading("visitor/1")

    stranger.page.context.clear_cookies()
    stranger.page.locator("dialog.login[open]").wait_for()
    assert stranger.page.locator("main h1").text_content() == "visitor/1"
    stranger.log_in()

    stranger.page.locator("dialog.login[open]").wait_for(state="hidden")
    stranger.heading("visitor/1")


def test_filters_and_order_are_in_the_address_and_survive_a_reload(window: Window) -> None:
    page = settle(window, "queues", "Queues")

    page.get_by_label("All queues").select_option("history")
    page.get_by_role("button", name="Owner").click()
    page.get_by_label("Owner", exact=True).fill("news")
    window.rows("news").wait_for()

    page.wait_for_function("() => location.hash.includes('q=news')")
    assert page.url.endswith("#/queues?relating=history&sort=owner&q=news")
    page.reload()
    window.heading("Queues").rows("news").wait_for()
    assert window.rows().count() == 1
    page.go_back()
    page.wait_for_function("() => !location.hash.includes('sort')")


def test_why_a_session_waits_is_said_on_top(window: Window) -> None:
    page = settle(window, "sessions/visitor/1", "visitor/1")

    why = page.get_by_role("region", name="Why is it waiting?")
    assert why.locator("code").first.text_content() == "receiverAway"
    assert why.get_by_text("What to do").is_visible()


def test_everything_can_be_done_by_keys(window: Window) -> None:
    page = settle(window, "overview", "Overview")

    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "To the content"
    window.press("g", "s")
    window.heading("Sessions").rows("visitor/1").wait_for()
    page.get_by_role("grid").focus()
    while page.locator("tr.current", has_text="visitor/1").count() == 0:
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    window.heading("visitor/1")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("weather")
    page.get_by_role("option", name="weather").wait_for()
    page.keyboard.press("Enter")
    window.heading("weather")


def test_columns_are_chosen_and_kept(window: Window) -> None:
    page = settle(window, "sessions", "Sessions")

    page.get_by_text("Columns").click()
    page.get_by_label("Subscriptions").check()
    page.get_by_label("Kind", exact=True).uncheck()
    page.reload()
    window.rows().first.wait_for()

    titles = page.locator("thead th").all_text_contents()
    assert "Subscriptions" in titles
    assert "Kind" not in titles


def test_theme_is_chosen_and_kept(window: Window) -> None:
    page = settle(window, "overview", "Overview")

    def is_dark() -> bool:
        return bool(page.evaluate("() => getComputedStyle(document.documentElement).colorScheme === 'dark'"))

    assert not is_dark()
    page.get_by_role("button", name="Dark colours").click()
    page.reload()
    assert is_dark()
    page.get_by_role("button", name="Light colours").click()
    assert not is_dark()


def test_charts_show_the_past_and_their_values_in_words(window: Window) -> None:
    page = settle(window, "overview?seconds=300", "Overview")

    chart = page.get_by_role("img", name=re.compile("^Messages per second, the last 5"))
    chart.wait_for()
    assert "published" in (chart.get_attribute("aria-label") or "")


def test_page_without_data_is_greyed_says_since_when_and_goes_on_by_itself(window: Window) -> None:
    page = window.page
    page.clock.install()
    settle(window, "overview", "Overview")

    page.context.set_offline(True)
    page.clock.fast_forward(12_000)
    page.get_by_text("connection lost, trying again").wait_for()
    assert "silent" in (page.locator("html").get_attribute("class") or "")
    page.context.set_offline(False)
    page.clock.fast_forward(3_000)
    page.get_by_text("connection lost, trying again").wait_for(state="hidden")
    window.errors.clear()  # the browser says that it was offline


def look_up(window: Window, text: str, name: str) -> None:
    """Type a text into the search, and go to what it finds."""
    window.press("/")
    window.type(text)
    window.page.get_by_role("option", name=name).wait_for()
    window.press("Enter")


def test_why_joes_queue_does_not_drain_is_found_in_two_steps(window: Window) -> None:
    page = settle(window, "overview", "Overview")
    window.begin()

    look_up(window, "visitor", "visitor/1")

    window.heading("visitor/1")
    page.get_by_role("region", name="Why is it waiting?").wait_for()
    assert window.steps <= 2


def test_of_ten_thousand_sessions_those_are_nodes_that_are_seen(
    window: Window, broker: BrokerProcess, record_property: Callable[[str, object], None]
) -> None:
    client = connected(broker, ConnectOptions(ADMINISTRATOR, PASSWORD))
    crowd(client)
    client.disconnect()
    page = window.page
    began = time.monotonic()

    window.open("sessions?subject=crowd").heading("Sessions").rows("crowd/1").first.wait_for()
    record_property("seconds until the first of 10,000 rows", round(time.monotonic() - began, 2))
    page.get_by_role("status").filter(has_text=re.compile(r"10\D?000\ssessions")).wait_for()
    assert window.rows().count() < 60

    page.locator(".rows").evaluate("(node) => { node.scrollTop = node.scrollHeight / 2; }")
    window.rows(re.compile(r"crowd/\d")).first.wait_for()
    page.locator(".rows").evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
    page.locator(f"tr[aria-rowindex='{MANY + 1}']", has_text="crowd/").wait_for()
    assert window.rows().count() < 60


def test_page_goes_on_after_a_restart_of_the_broker_when_somebody_has_logged_in(
    browser: Browser, tmp_path: Path
) -> None:
    process = BrokerProcess(tmp_path / "data", settings=SETTINGS)
    process.add_accounts(ADMINISTRATOR, MONITOR, NOBODY)
    with process as broker:
        context = browser.new_context()
        window = Window(context, origin_of(broker)).open("sessions")
        window.log_in()
        window.heading("Sessions")

        broker.restart()

        window.log_in()
        window.page.locator("dialog.login[open]").wait_for(state="hidden")
        window.page.locator(".level", has_text="ready").wait_for()
        assert window.page.url.endswith("#/sessions")
        context.close()


def test_oldest_message_is_seen_in_three_steps_and_stays_where_it_is(window: Window) -> None:
    page = settle(window, "overview", "Overview")
    window.begin()

    look_up(window, "visitor", "visitor/1")
    window.heading("visitor/1")
    window.click(page.locator(".entries tbody button").first)

    message = page.get_by_role("complementary", name="Message")
    assert message.get_by_text("news").first.is_visible()
    assert window.steps <= 3
    message.get_by_role("button", name="Show its content").click()
    message.get_by_text("news 0").wait_for()
    assert page.locator(".entries .mark.held").count() == 0  # nothing was delivered in vain


def test_what_changed_in_the_last_hour_is_seen_in_two_steps(window: Window) -> None:
    page = settle(window, "overview", "Overview")
    window.begin()

    window.press("g", "a")
    window.heading("Audit")
    window.steps += 1
    page.get_by_label("Whenever").select_option(label="In the last hour")

    window.rows("user.add").first.wait_for()
    assert window.steps <= 2


def test_client_is_thrown_out_and_kept_out_in_four_steps(window: Window, broker: BrokerProcess) -> None:
    client = connected(broker, ConnectOptions(NOBODY, PASSWORD, session=7))
    page = settle(window, "overview", "Overview")
    window.begin()

    look_up(window, "visitor/7", "visitor/7")
    window.heading("visitor/7")
    window.click(page.get_by_role("button", name="Block login"))
    assert violations(page) == []
    window.press("Enter")

    page.get_by_text("Logins of visitor are blocked; 1\u00a0connection closed").wait_for()
    assert window.steps <= 4
    client.disconnect()
    unblocked = ask_socket(broker.admin_socket, "/api/v1/subjects/visitor/unblock", "POST", JSON, b"{}")
    assert unblocked.status == 200


def test_session_with_messages_ends_when_its_name_was_typed(window: Window, broker: BrokerProcess) -> None:
    writer = connected(broker, ConnectOptions(ADMINISTRATOR, PASSWORD))
    writer.publish("letter", b"for you", PublishOptions(to=("doomed/1",), force=True))
    writer.disconnect()
    page = settle(window, "sessions/doomed/1", "doomed/1")

    page.get_by_role("button", name="End …", exact=True).click()
    dialog = page.get_by_role("dialog", name="End doomed/1")
    submit = dialog.get_by_role("button", name="End the session")
    assert "1\u00a0message" in (dialog.text_content() or "")
    assert submit.is_disabled()
    dialog.get_by_label("What waits in its queue").select_option("dead")
    dialog.get_by_label("To confirm").fill("doomed/1")
    dialog.get_by_label("Reason").fill("it is over")
    command = dialog.locator("pre").text_content()
    assert command == """broker api POST /sessions/doomed/1/end '{"queue":"dead","reason":"it is over"}'"""
    submit.click()

    page.get_by_text("doomed/1 has ended, with 1").wait_for()
    page.get_by_text("it has ended, or never was").wait_for()
    window.open("audit?action=session.end").heading("Audit").rows("it is over").wait_for()


def test_who_may_only_look_sees_what_others_may_do_and_cannot(stranger: Window) -> None:
    stranger.open("sessions/visitor/1").log_in(MONITOR)

    button = stranger.page.get_by_role("button", name="Disconnect")
    button.wait_for()
    assert button.is_disabled()
    assert "operator" in (button.get_attribute("title") or "")


def test_account_is_made_gets_a_role_and_is_deleted(window: Window) -> None:
    page = settle(window, "accounts", "Accounts")

    page.get_by_role("button", name="New …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Login name").fill("newcomer")
    dialog.get_by_label("Password").fill("secret")
    assert "secret" not in (dialog.locator("pre").text_content() or "")
    page.get_by_role("button", name="Make it").click()
    window.heading("newcomer")
    page.get_by_role("button", name="Role …").click()
    dialog.get_by_label("Role in administration").select_option("monitoring")
    page.get_by_role("button", name="Give it").click()
    page.locator("dd", has_text="monitoring").wait_for()
    page.get_by_role("button", name="Delete …").click()
    assert violations(page) == []
    dialog.get_by_label("To confirm").fill("newcomer")
    page.get_by_role("button", name="Delete the account").click()

    page.get_by_text("There is no account newcomer any more").wait_for()
    window.heading("Accounts").rows("visitor").wait_for()
    assert window.rows("newcomer").count() == 0


def test_dead_messages_of_one_receiver_are_sent_again_in_five_steps(window: Window, broker: BrokerProcess) -> None:
    writer = connected(broker, ConnectOptions(ADMINISTRATOR, PASSWORD))
    for _ in range(2):
        writer.publish("letter", b"for you", PublishOptions(to=("sleeper/1",), force=True, persistent=True))
    ended = ask_socket(broker.admin_socket, "/api/v1/sessions/sleeper/1/end", "POST", JSON, b'{"queue": "dead"}')
    assert ended.status == 200
    writer.publish("letter", b"the receiver is back", PublishOptions(to=("sleeper/1",), force=True))
    writer.disconnect()
    page = settle(window, "overview", "Overview")
    window.begin()

    window.press("g", "d")
    window.heading("Dead messages")
    window.steps += 1
    page.get_by_role("searchbox", name="Receiver").fill("*sleeper*")
    page.wait_for_function("() => location.hash.includes('sleeper')")
    window.rows("sleeper").first.wait_for()
    window.click(page.get_by_role("button", name="Send these again"))
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    assert "2\u00a0messages" in (dialog.text_content() or "")
    assert violations(page) == []
    window.press("Enter")

    page.get_by_text("2\u00a0messages sent again").wait_for()
    assert window.steps <= 5


def test_part_of_the_log_says_more_for_ten_minutes_in_four_steps(window: Window) -> None:
    page = settle(window, "overview", "Overview")
    window.begin()

    window.press("g", "p")
    window.heading("Configuration")
    window.click(page.get_by_role("button", name="Change a level"))
    window.steps += 1
    page.get_by_label("Part, e.g. broker.core").fill("broker.core")
    window.press("Enter")

    page.get_by_text("broker.core: debug").wait_for()
    page.get_by_role("cell", name="broker.core", exact=True).wait_for()
    assert window.steps <= 4


def test_property_is_set_and_whoever_may_not_is_told_so(window: Window, stranger: Window) -> None:
    page = settle(window, "configuration?q=queue/callback/maxEntries", "Configuration")
    page.get_by_role("button", name="queue/callback/maxEntries", exact=True).click()
    page.get_by_label("New value").fill("900")
    page.get_by_role("button", name="Set it").click()
    page.get_by_text("queue/callback/maxEntries was set").wait_for()
    page.get_by_role("cell", name="900").wait_for()

    stranger.open("configuration?q=queue/callback/maxEntries").log_in(MONITOR)
    stranger.page.get_by_role("button", name="queue/callback/maxEntries", exact=True).click()
    assert stranger.page.get_by_role("button", name="Set it").is_disabled()
    assert stranger.page.get_by_text("Only administrators may do this.").is_visible()


def test_times_of_the_broker_are_those_of_the_wall_clock(window: Window, broker: BrokerProcess) -> None:
    window.open("diagnose").heading("Diagnose").page.get_by_text("as of").wait_for()
    assert "1970" not in (window.page.locator("main").text_content() or "")

    listeners = ask_socket(broker.admin_socket, "/api/v1/listeners").json["items"]
    left = [each["tls"]["daysLeft"] for each in listeners if "tls" in each]
    assert left
    assert all(0 < days < 3660 for days in left)  # of the certificate that the broker has just made


def test_who_gets_what_is_published_on_a_topic_is_told_and_its_history_is_cleared(window: Window) -> None:
    page = settle(window, "topics/weather", "weather")
    page.get_by_role("grid", name="Receivers").get_by_text("visitor/1").wait_for()

    page.get_by_role("button", name="Clear history").click()
    dialog = page.get_by_role("dialog")
    assert "1\u00a0message" in (dialog.text_content() or "")
    dialog.get_by_label("To confirm").fill("weather")
    dialog.get_by_role("button", name="Clear it").click()

    page.get_by_text("of weather are forgotten").wait_for()


def test_queue_is_purged_when_its_name_was_typed(window: Window, broker: BrokerProcess) -> None:
    writer = connected(broker, ConnectOptions(ADMINISTRATOR, PASSWORD))
    writer.publish("letter", b"for you", PublishOptions(to=("purged/1",), force=True))
    writer.disconnect()
    page = settle(window, "queues/callback/purged~1", "purged~1")

    page.get_by_role("button", name="Purge …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("To confirm").fill("purged~1")
    dialog.get_by_role("button", name="Purge it").click()

    page.get_by_text("is being emptied").wait_for()
    page.locator("dd", has_text=re.compile("^0of")).wait_for()
