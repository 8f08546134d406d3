"""The properties of the XMPP service."""

from __future__ import annotations

import pytest

from broker.config.properties import Properties
from broker.config.syntax import Setting
from broker.errors import BrokerError
from broker.xmpp.settings import settings_of
from broker.xmpp.wire.sm import MAX_WINDOW


@pytest.mark.parametrize("name", ["modules.mod_stream_management.resume_timeout", "sm.max_resume_timeout"])
def test_a_stream_waits_no_longer_than_its_record_can_say(name: str) -> None:
    """The next start would set the record aside."""
    settings_of(properties(name, MAX_WINDOW))
    with pytest.raises(BrokerError, match=name):
        settings_of(properties(name, MAX_WINDOW + 1))


def properties(name: str, value: int) -> Properties:
    """One of them."""
    return Properties([Setting(name, str(value), "test")])
