"""Callback addresses: of which protocol they are, and the id that they give (spec xmlblaster §4.1)."""

from __future__ import annotations

from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.connect import AddressQos, ConnectQos

SOCKET = "SOCKET"
XMLRPC = "XMLRPC"
UNKNOWN_CALLBACK_SESSION = "unknown"


def is_of_type(callback: AddressQos, wanted: str) -> bool:
    """Whether an address is one of a protocol; some clients name a variant: SOCKET_SSL."""
    return callback.type.upper().startswith(wanted)


def callback_session_of(session: Session) -> str:
    """By which id the client knows the updates of a session: the one that its callback address has (§24 fact 7)."""
    callback = session.qos.callback
    return (None if callback is None else callback.session_id) or UNKNOWN_CALLBACK_SESSION


def check_type(qos: ConnectQos, wanted: str) -> None:
    """Refuse callback addresses of another protocol than that of the listener that a client has connected to.

    Args:
        qos: of the connect.
        wanted: the protocol.

    Raises:
        BrokerError: ``resource.configuration.pluginFailed``.
    """
    for queue, addresses in qos.queues:
        for address in addresses if queue.relating == "callback" else ():
            if not is_of_type(address, wanted):
                reason = f"updates are sent as {wanted} only, not as '{address.type[:64]}'"
                raise BrokerError(Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED, reason)
