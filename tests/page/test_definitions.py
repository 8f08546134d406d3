"""Definitions are written into a file, and read in after what they would change was shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.page.browser import Window
from tests.page.population import MONITOR
from tests.page.test_pages import settle, violations

pytestmark = [pytest.mark.browser, pytest.mark.system]

MADE = "<i>made</i>"
TOPIC = {"oid": MADE, "key": "<key oid='&lt;i>made&lt;/i>'/>", "qos": "<qos><topic/></qos>"}


def test_definitions_are_exported_and_imported_after_a_dry_run(window: Window, tmp_path: Path) -> None:
    page = settle(window, "definitions", "Definitions")
    with page.expect_download() as found:
        page.get_by_role("button", name="Export", exact=True).click()
    file = tmp_path / "definitions.json"
    found.value.save_as(file)
    document = json.loads(file.read_text("utf-8"))
    assert document["format"] == "broker-definitions/1"

    page.get_by_label("Document").set_input_files(file)
    page.get_by_text("Nothing would change.").wait_for()
    document["sections"] = {"topics": [TOPIC]}
    file.write_text(json.dumps(document), "utf-8")
    page.get_by_label("Document").set_input_files([])
    page.get_by_label("Document").set_input_files(file)
    page.get_by_role("cell", name=MADE).wait_for()
    assert violations(page) == []
    page.get_by_role("button", name="Apply …").click()
    page.get_by_label("To confirm").fill("1")
    page.get_by_role("button", name="Apply it").click()

    page.get_by_text("The definitions are applied").wait_for()
    page.get_by_text("Nothing would change.").wait_for()


def test_document_that_cannot_be_read_in_is_refused_with_the_reason(window: Window, tmp_path: Path) -> None:
    page = settle(window, "definitions", "Definitions")
    file = tmp_path / "definitions.json"

    for text, reason in (("{", "It is not JSON"), ('{"format": "broker-definitions/1"}', "sections")):
        file.write_text(text, "utf-8")
        page.get_by_label("Document").set_input_files([])
        page.get_by_label("Document").set_input_files(file)
        page.get_by_role("status").filter(has_text=reason).wait_for()
    assert page.get_by_role("button", name="Apply …").count() == 0


def test_who_may_only_look_sees_that_definitions_are_not_for_them(stranger: Window) -> None:
    stranger.open("definitions").log_in(MONITOR)

    assert stranger.page.get_by_role("button", name="Export", exact=True).is_disabled()
