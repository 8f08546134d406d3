"""Units of updates: the quick way writes what the complete one does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.core.entries import Entry
from broker.core.message import Envelope, Message
from broker.model.key import Key
from broker.model.qos import PublishQos
from broker.model.records import INITIAL, NO_CONTENT, NO_META
from broker.native.codec import UpdateTemplate, read_update_qos
from broker.native.codec.records import RecordCodec
from broker.native.codec.update import subscription_element
from broker.native.updates import LARGE, encode_units
from broker.native.wire.frames import Frame, Kind

NOW = 1_000


def entry(oid: str, content: bytes, *, flags: int = 0, redeliver: int = 0, expires: int = 0) -> Entry:
    key, qos = Key(oid), PublishQos(sender="/node/n/client/joe")
    message = Message(17, Envelope(key, qos, RecordCodec()), content, expires)
    made = Entry(message, 1, len(content), "sub%d", flags)
    made.redeliver = redeliver
    return made


@given(oid=st.sampled_from(["a", "100%d", "%b%%"]), content=st.binary(max_size=50), queued=st.integers(1, 9))
def test_a_unit_is_that_of_the_template(oid: str, content: bytes, queued: int) -> None:
    given = entry(oid, content)
    template = UpdateTemplate(given.message.qos)
    qos = template.render(subscription_element("sub%d"), 17, 0, queued, 0, None)

    assert encode_units([given], queued, NOW) == [
        b"%b\0%b\0%d\0%b" % (qos, given.message.envelope.encoded.key, len(content), content)
    ]


def test_entries_of_one_update_have_places_and_those_alone_are_the_first() -> None:
    entries = [entry("a", b"1"), entry("a", b"x" * (LARGE + 1)), entry("a", b"3")]

    for alone, places in ((False, [0, 1, 2]), (True, [0, 0, 0])):
        read = [read_update_qos(unit.split(b"\0")[0]) for unit in encode_units(entries, 5, NOW, alone=alone)]

        assert [qos.queue_index for qos in read] == places
        assert [qos.queue_size for qos in read] == [5, 4, 3]


def test_marks_are_told_however_large_the_content_is() -> None:
    for content in (b"small", b"x" * (LARGE + 1)):
        (again,) = encode_units([entry("a", content, redeliver=2)], 1, NOW)
        (expiring,) = encode_units([entry("a", content, expires=NOW + 500)], 1, NOW)
        (initial,) = encode_units([entry("a", content, flags=INITIAL)], 1, NOW)
        (bare,) = encode_units([entry("a", content, flags=NO_CONTENT | NO_META)], 1, NOW)

        assert b"<redeliver>2</redeliver>" in again
        assert read_update_qos(expiring.split(b"\0")[0]).remaining_life == 500
        assert b"__isInitialUpdate" in initial
        assert Frame(Kind.INVOKE, b"", b"update", b"", bare).units()[0].content == b""
