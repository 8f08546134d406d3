"""Who may read and change what (spec xmlblaster §13.4, §22.3)."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from tests.admin.office import BOSS, Office
from tests.core.world import Client


def refused(office: Office, client: Client, command: str) -> BrokerError:
    """Why a client may not read something."""
    with pytest.raises(BrokerError) as raised:
        office.get(client, command)
    assert raised.value.code == Code.USER_NOT_AUTHORIZED
    return raised.value


def change_refused(office: Office, client: Client, command: str) -> BrokerError:
    """Why a client may not change something."""
    with pytest.raises(BrokerError) as raised:
        office.set(client, command)
    assert raised.value.code == Code.USER_NOT_AUTHORIZED
    return raised.value


class TestWhereNobodyIsAdministrator:
    @pytest.mark.parametrize("command", ["?numClients", "?freeMem", "?runlevel", "sysprop/?user.home"])
    def test_public_numbers_are_read_by_everybody(self, command: str) -> None:
        office = Office()
        joe = office.client("joe")
        joe.publish("a")
        assert office.get(joe, command)

    @pytest.mark.parametrize(
        "command",
        ["?clientList", "?clients", "?aliveCallbackClients", "?subscriptionList", "?topicList", "?ports", "?setAside"],
    )
    def test_names_of_others_are_told_to_nobody(self, command: str) -> None:
        office = Office()
        refused(office, office.client("joe"), command)

    def test_subscribers_of_a_topic_are_told_to_nobody(self) -> None:
        office = Office()
        joe = office.client("joe/1")
        joe.subscribe("a")
        refused(office, joe, "topic/a/?subscribers")

    @pytest.mark.parametrize(
        "command",
        [
            "?runlevel=3",
            "?gc",
            "client/joe/?killClient",
            "client/joe/1/?killSession",
            "sysprop/?a=b",
            "topic/a/?eraseTopic",
        ],
    )
    def test_nobody_changes_anything_and_the_refusal_says_what_to_configure(self, command: str) -> None:
        office = Office()
        joe = office.client("joe/1")
        joe.publish("a")
        assert "admin.users" in change_refused(office, joe, command).message

    def test_other_properties_are_not_told(self) -> None:
        office = Office({"db.url": "sqlite:///x"})
        refused(office, office.client("joe"), "sysprop/?db.url")

    def test_other_clients_are_not_told_of(self) -> None:
        office = Office()
        office.client("jack/1")
        joe = office.client("joe")
        refused(office, joe, "client/jack/?uptime")
        refused(office, joe, "client/jack/1/?connectionState")


class TestWhereAdministratorsAreNamed:
    def test_they_read_and_change_everything(self) -> None:
        office = Office({"admin.users": "chief, boss"})
        jack = office.client("jack/1")
        boss = office.client("boss")
        assert office.get(boss, "client/jack/1/?connectionState") == "ALIVE"
        office.set(boss, "client/jack/1/?dispatcherActive=false")
        assert not jack.session.dispatch.active

    @pytest.mark.parametrize("command", ["?numClients", "?version", "?runlevel", "?uptime", "?freeMem"])
    def test_others_read_the_public_numbers(self, command: str) -> None:
        office = Office(BOSS)
        assert office.get(office.client("joe"), command)

    @pytest.mark.parametrize("command", ["?clientList", "?topicList", "?ports", "?syspropList", "sysprop/?user.home"])
    def test_others_learn_no_names(self, command: str) -> None:
        office = Office(BOSS)
        refused(office, office.client("joe"), command)

    def test_others_read_what_is_their_own(self) -> None:
        office = Office(BOSS)
        joe = office.client("joe/1")
        subscription = joe.subscribe("a").id
        assert office.get(joe, "client/joe/?sessionList") == "1"
        assert office.get(joe, "client/joe/session/1/?connectionState") == "ALIVE"
        assert office.get(joe, f"subscription/{subscription}/?topicId") == "a"

    def test_others_do_not_read_subscriptions_of_others(self) -> None:
        office = Office(BOSS)
        subscription = office.client("jack/1").subscribe("a").id
        refused(office, office.client("joe"), f"subscription/{subscription}/?topicId")

    def test_who_is_no_client_is_not_told_apart_from_who_is(self) -> None:
        office = Office(BOSS)
        office.client("jack/1")
        joe = office.client("joe")
        known = refused(office, joe, "client/jack/?uptime").message
        assert refused(office, joe, "client/nobody/?uptime").message == known


class TestOwnSessions:
    def test_everybody_stops_and_starts_the_delivery_to_them(self) -> None:
        office = Office(BOSS)
        phone, desk = office.client("joe/1"), office.client("joe/2")
        office.set(phone, "client/joe/2/?dispatcherActive=false")
        assert not desk.session.dispatch.active
        office.set(phone, "client/joe/session/2/?dispatcherActive=true")
        assert desk.session.dispatch.active

    def test_nobody_does_so_for_others(self) -> None:
        office = Office(BOSS)
        jack = office.client("jack/1")
        change_refused(office, office.client("joe/1"), "client/jack/1/?dispatcherActive=false")
        assert jack.session.dispatch.active

    @pytest.mark.parametrize("command", ["client/joe/?maxSessions=99", "client/joe/1/?acceptWrongSenderAddress=true"])
    def test_nothing_else_of_them_is_changed(self, command: str) -> None:
        office = Office(BOSS)
        change_refused(office, office.client("joe/1"), command)

    def test_reading_an_operation_does_not_get_around_that(self) -> None:
        office = Office(BOSS)
        joe = office.client("joe/1")
        refused(office, joe, "client/joe/1/?killSession")
        assert not joe.session.ended


class TestTopics:
    def test_who_may_get_a_topic_reads_its_numbers(self) -> None:
        office = Office(BOSS)
        joe = office.client("joe")
        joe.publish("a", b"1")
        assert office.get(joe, "topic/a/?numOfHistoryEntries") == "1"
        office.world.permissions.forbidden.add(("joe", "get", "exact:a"))
        refused(office, joe, "topic/a/?numOfHistoryEntries")

    def test_subscribers_are_for_administrators(self) -> None:
        office = Office(BOSS)
        joe = office.client("joe/1")
        joe.subscribe("a")
        refused(office, joe, "topic/a/?subscribers")
        assert office.get(office.client("boss"), "topic/a/?subscribers") == "client/joe/1"


def test_a_restricted_account_reads_no_more_than_it_is_granted() -> None:
    office = Office()
    joe = office.client("joe")
    office.world.permissions.forbidden.add(("joe", "get", "exact:__cmd:?clientList"))
    refused(office, joe, "?clientList")
    refused(office, joe, "/node/heron/?clientList")


def test_a_name_that_begins_like_an_administrators_is_none() -> None:
    office = Office({"admin.users": "boss,,"})
    change_refused(office, office.client("bos"), "?gc")
