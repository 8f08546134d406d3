"""Class names of xmlBlaster are mapped to what is here."""

from __future__ import annotations

import pytest

from broker.runlevels.names import python_name, reason_not_served


def test_served_classes_have_a_python_name() -> None:
    assert python_name("org.xmlBlaster.protocol.socket.SocketDriver") == "broker.plugins.socket.SocketPlugin"
    assert reason_not_served("org.xmlBlaster.protocol.socket.SocketDriver") == ""


def test_other_names_are_their_own() -> None:
    assert python_name("our.plugins.Watch") == "our.plugins.Watch"
    assert reason_not_served("our.plugins.EventPlugin") == ""


@pytest.mark.parametrize(
    "name",
    [
        "org.xmlBlaster.engine.StartupTasks",
        "org.xmlBlaster.protocol.corba.CorbaDriver",
        "org.xmlBlaster.contrib.Anything",
        "javaclients.HelloWorldNative",
    ],
)
def test_classes_without_a_counterpart_have_a_reason(name: str) -> None:
    assert reason_not_served(name)


def test_a_misspelt_class_is_not_taken_for_one_of_them() -> None:
    assert reason_not_served("org.xmlBlaster.protocol.socket.SocketDrvier") == ""
