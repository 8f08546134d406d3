"""The protocols by which clients are called back (spec xmlblaster §4.1)."""

from __future__ import annotations

from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos

SOCKET = "SOCKET"
XMLRPC = "XMLRPC"


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
            if not address.type.upper().startswith(wanted):  # some clients name a variant: SOCKET_SSL
                reason = f"updates are sent as {wanted} only, not as '{address.type[:64]}'"
                raise BrokerError(Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED, reason)
