"""Stream management of a bound stream (XEP-0198): elements that are no stanzas."""

from __future__ import annotations

from broker.xml.stanza import Stanza
from broker.xmpp.routing.domain import Client, Domain
from broker.xmpp.stream.acknowledgements import Acknowledgements, acknowledge, committed
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.wire import sm
from broker.xmpp.wire.errors import Condition


class StreamManagement:
    """Turns it on, and exchanges counters.

    Args:
        domain: the service.
        stream: that is managed.
        client: whose stream it is.
        acknowledgements: that it is asked for.
        resumable: whether the client may be let resume.
    """

    __slots__ = ("_acknowledgements", "_client", "_domain", "_resumable", "_stream")

    def __init__(
        self,
        domain: Domain,
        stream: StreamConnection,
        client: Client,
        acknowledgements: Acknowledgements,
        *,
        resumable: bool,
    ) -> None:
        self._domain = domain
        self._stream = stream
        self._client = client
        self._acknowledgements = acknowledgements
        self._resumable = resumable

    def element(self, stanza: Stanza) -> None:
        """Take an element of stream management."""
        on = self._client.dispatch.unacked is not None
        match stanza.name:
            case "r" if on:
                acknowledge(self._client.dispatch, self._domain.node.store, self._stream.write)
            case "a" if on:
                self._acknowledged(stanza)
            case "enable":
                self._enable(stanza)
            case "r" | "resume":
                self._stream.write(sm.failed(Condition.UNEXPECTED_REQUEST))

    def _acknowledged(self, stanza: Stanza) -> None:
        h = sm.counter_of(stanza)
        if h is None:
            self._stream.fail("policy-violation", "an acknowledgement has the attribute h, a number")
            return
        dispatch = self._client.dispatch
        try:
            dispatch.acknowledge(h)
        except sm.TooHigh as error:
            self._stream.fail("undefined-condition", str(error), sm.handled_count_too_high(error))
            return
        question = self._acknowledgements.answered()
        if question:
            dispatch.write(question)

    def _enable(self, stanza: Stanza) -> None:
        settings, stream = self._domain.settings, self._stream
        if not settings.sm_enabled:
            stream.write(sm.failed(Condition.FEATURE_NOT_IMPLEMENTED))
            return
        if self._client.dispatch.unacked is not None:
            stream.write(sm.failed(Condition.UNEXPECTED_REQUEST))
            stream.end()
            return
        resumable = sm.wants_resumption(stanza)
        wanted = sm.wanted_window(stanza)
        if resumable is None or wanted == 0:
            stream.write(sm.failed(Condition.BAD_REQUEST))
            return
        resumable = resumable and settings.sm_resume and self._resumable
        window = settings.sm_resume_timeout if wanted is None else min(wanted, settings.sm_max_resume_timeout)
        stream.work(self._enabled(resumable=resumable, window=window))

    async def _enabled(self, *, resumable: bool, window: int) -> None:
        """The client counts from ``<enabled/>`` on, so nothing may come between (XEP-0198 §3)."""
        client = self._client
        dispatch = client.dispatch
        dispatch.pause()
        resumable = self._domain.streams.enable(client.session, resumable=resumable, window=window)
        if resumable:
            await committed(self._domain.node.store)
        id = client.session.secret_id if resumable else ""
        if not self._stream.ending.is_closed:
            dispatch.write(sm.enabled(id, window, self._domain.settings.sm_location if resumable else ""))
        dispatch.go_on()
