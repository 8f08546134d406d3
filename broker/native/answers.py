"""Units that answer requests of the native protocol (spec xmlblaster §4.7)."""

from __future__ import annotations

from broker.core.publishing import Published
from broker.model.cache import cached_if_short
from broker.model.qos import STATE_OK, Method, StatusQos
from broker.native.codec import write_status_qos
from broker.native.wire.frames import encode_unit

OK = encode_unit(b"<qos><state id='OK'/></qos>")

_KNOWN_OIDS = 4096
_PLACE = b"nanos='1'"


def publish_unit(published: Published) -> bytes:
    """The answer to one published message.

    The frequent one, a message that was simply taken, differs by its timestamp only from others of its topic.
    """
    if published.id and published.state == STATE_OK and not published.info and not published.properties:
        return _template(published.oid) % published.id
    return status_unit(
        StatusQos(
            state=published.state,
            info=published.info,
            oid=published.oid,
            received=published.id,
            method=Method.PUBLISH,
            properties=published.properties,
        )
    )


def status_unit(status: StatusQos) -> bytes:
    """The unit for a status."""
    return encode_unit(write_status_qos(status))


@cached_if_short(_KNOWN_OIDS)
def _template(oid: str) -> bytes:
    # An attribute's own quotes are escaped, so this can be found in the timestamp only.
    unit = status_unit(StatusQos(oid=oid, received=1, method=Method.PUBLISH))
    return unit.replace(b"%", b"%%").replace(_PLACE, b"nanos='%d'")
