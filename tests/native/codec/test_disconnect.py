from __future__ import annotations

import pytest

from broker.model.property import ClientProperty
from broker.model.qos import DisconnectQos
from broker.native.codec import read_disconnect_qos, write_disconnect_qos


@pytest.mark.parametrize("data", [b"", b"\n   <qos>\n   </qos>"])
def test_nothing_said_is_all_defaults(data: bytes) -> None:
    assert read_disconnect_qos(data) == DisconnectQos()


def test_everything_said_is_read_and_written() -> None:
    data = (
        b"<qos><deleteSubjectQueue>false</deleteSubjectQueue><clearSessions/>"
        b"<clientProperty name='leaveServer'>false</clientProperty></qos>"
    )
    qos = DisconnectQos(False, True, (ClientProperty("leaveServer", "false"),))
    assert read_disconnect_qos(data) == qos
    assert write_disconnect_qos(qos) == data


def test_defaults_are_not_written() -> None:
    assert write_disconnect_qos(DisconnectQos()) == b"<qos/>"
