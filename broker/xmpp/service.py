"""The XMPP service: its parts wired together, and the life of its clients in the core."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from broker.core.entries import Entry
from broker.core.sessions import Session
from broker.failpoints import reach
from broker.logs.limit import NamedLogLimits, lines
from broker.model.jid import JID
from broker.model.number import whole_or_none
from broker.model.qos import STATE_OK
from broker.timers import cancel
from broker.xmpp.features.approvals import Subscriptions
from broker.xmpp.features.blocking import Blocking
from broker.xmpp.features.carbons import Carbons
from broker.xmpp.features.client_state import Activity
from broker.xmpp.features.departed import DepartedResources
from broker.xmpp.features.disco import Disco
from broker.xmpp.features.last_activity import LastActivity
from broker.xmpp.features.presence import Presence
from broker.xmpp.features.private_storage import Storage
from broker.xmpp.features.pubsub.service import PubSub
from broker.xmpp.features.roster import Roster
from broker.xmpp.features.server_info import ServerInfo
from broker.xmpp.routing.content import STANZA_KEY, stanza_of
from broker.xmpp.routing.domain import AT_DOMAIN, Client, Domain
from broker.xmpp.routing.hooks import Hooks
from broker.xmpp.routing.router import Router
from broker.xmpp.session.sessions import StreamService
from broker.xmpp.session.state import StreamLimits
from broker.xmpp.settings import Durable, TlsPolicy, XmppSettings
from broker.xmpp.wire import ns, sm
from broker.xmpp.wire.stanza import delayed, element, message

if TYPE_CHECKING:
    from broker.auth.services import SecurityServices
    from broker.core.broker import Broker
    from broker.xmpp.session.dispatch import StreamOutbound
    from broker.xmpp.session.sessions import StreamSessions

log = Logger()

STALE_HANDLED = "xmpp.handled"
"""Kind of the documents that tell how much was handled of streams that cannot be resumed any more."""


class XmppService:
    """Serves the clients of one domain, over whatever connections.

    Args:
        broker: the core, recovered.
        streams: its sessions that are XML streams.
        settings: of the service.
        security: checks credentials.
        tls_available: connections can start TLS.

    Attributes:
        activity: takes what clients say of their own activity.
        disco: tells what there is.
        logins: the audit of logins.
        pubsub: serves nodes.
        presence: takes presence of clients.
        refusals: for the log, of addresses: connections that come to nothing cost them little.
        failures: likewise, of the broker itself, each with its traceback.
        router: takes their messages and requests.
        stream_features: what stream features name beside what every stream has.
    """

    def __init__(
        self,
        broker: Broker,
        streams: StreamSessions,
        settings: XmppSettings,
        security: SecurityServices,
        *,
        tls_available: bool = False,
    ) -> None:
        self.settings = settings
        self.security = security
        self.logins = broker.logins
        self.tls_available = tls_available
        self.stream_features: list[bytes] = []
        self.refusals = NamedLogLimits(broker.node.monotonic, lines(log.info), "refusals")
        self.failures = NamedLogLimits(broker.node.monotonic, lines(log.info), "failures")
        self.domain = domain = Domain(broker, streams, settings, security.exists)
        self.router = Router(domain, domain.delivery)
        roster = Roster(domain)
        subscriptions = Subscriptions(domain, roster)
        self._present = DepartedResources(domain)
        self.presence = Presence(domain, subscriptions, LastActivity(domain), self._present)
        self.activity = Activity(domain)
        self._subscriptions = subscriptions
        self._wire(Blocking(domain), subscriptions, Carbons(domain))
        ServerInfo(domain)
        Storage(domain)
        self.disco = Disco(domain)
        self.pubsub = PubSub(domain, self.disco)
        for feature in (ns.STABLE_ID, ns.OFFLINE):
            domain.add_feature(feature, AT_DOMAIN)
        self._broker = broker
        self._purge: IDelayedCall | None = None
        self._delay = partial(_delayed, settings.domain)

    def start(self) -> None:
        """Stand up the clients of recovered sessions, and see to what the core tells."""
        settings, streams = self.settings, self.domain.streams
        limits = StreamLimits(
            window=settings.sm_window,
            ephemeral=settings.sm_volatile_max,
            durable=settings.sm_durable is Durable.YES,
        )
        sessions = streams.connect(StreamService(limits, settings.queue, self._ending, self.router.undelivered))
        self._broker.account_changes.on_removed.append(self._account_removed)
        self._broker.documents.on_carried.append(self.domain.accounts.read_again)
        self._broker.rights.blocks = self._blocks
        attempt = self._broker.node.set_aside.attempt
        adopted = [attempt("session", each.name.relative, self._adopt, each) for each in sessions]
        recovering = ensureDeferred(self._recover([client for client in adopted if client is not None]))
        recovering.addErrback(lambda failure: log.failure("the streams are not recovered well", failure))
        self._purge_handled()

    def stop(self) -> None:
        """Let go of what :meth:`start` took."""
        self.domain.streams.disconnect()
        self._broker.account_changes.on_removed.remove(self._account_removed)
        self._broker.documents.on_carried.remove(self.domain.accounts.read_again)
        cancel(self._purge)
        self._purge = None

    def send_headline(self, session: Session, text: str) -> bool:
        """Send a client a headline of the server itself, which does not wait for anybody (RFC 6121 §5.2.2).

        Args:
            session: of the client.
            text: for people.

        Returns:
            ``False`` where it is no client of this service, or has no room for it.
        """
        client = self.domain.client_of(session)
        if client is None:
            return False
        id = f"broadcast-{self._broker.node.ids.next()}"
        body = element("body", content=text)
        stanza = message(self.settings.domain, client.full, type="headline", id=id, children=body)
        return self.domain.delivery.send(session, stanza)

    def tls_required(self, *, loopback: bool) -> bool:
        """Whether clients must use TLS (``xmpp.tls``).

        Args:
            loopback: the listener can be reached from this machine only.
        """
        policy = self.settings.tls
        return policy is TlsPolicy.REQUIRED or (policy is TlsPolicy.AUTO and not loopback)

    def prepare(self, client: Client) -> None:
        """Let the core write to a client."""
        client.dispatch.write_with(self._encoder(client), self._delay)

    def go_on(self, client: Client, outbound: StreamOutbound) -> None:
        """A stream that was resumed goes on over another connection, which has been told so.

        Args:
            client: whose stream it is.
            outbound: the connection.
        """
        client.active = True
        client.dispatch.continue_on(outbound)
        reach("resume sent")
        for listener in self.domain.hooks.resumed:
            listener(client)

    def _wire(self, blocking: Blocking, subscriptions: Subscriptions, carbons: Carbons) -> None:
        """Who takes the calls between the parts; what the core tells is wired by :meth:`start`."""
        presence, activity = self.presence, self.activity
        self.domain.connect(
            Hooks(
                blocks=blocking.blocks,
                holds=activity.hold,
                copies=carbons,
                show_to_contact=presence.show_to_contact,
                contact_removed=subscriptions.contact_removed,
                recovered=(presence.recovered,),
                resumed=(presence.resumed, activity.resumed),
                ended=(presence.ended, activity.ended),
            )
        )

    async def stale_handled(self, user: str, id: str) -> int | None:
        """How many stanzas were handled of a stream that cannot be resumed any more (XEP-0198 §5).

        Args:
            user: who asks.
            id: of the stream.
        """
        if not self.settings.sm_stale_h:
            return None
        for record in await self._broker.documents.read(user, STALE_HANDLED):
            if record.name == id and record.expires > self._broker.node.now():
                return whole_or_none(record.data.decode("ascii", "replace"), 0, sm.MODULUS - 1)
        return None

    def _encoder(self, client: Client) -> Callable[[Entry], bytes]:
        """What writes entries to a client's stream: stanzas as they are, and messages of others as stanzas."""
        domain, pubsub, to, stanzas = self.settings.domain, self.pubsub, client.jid, STANZA_KEY.oid

        def encode(entry: Entry) -> bytes:
            message = entry.message
            if message.envelope.oid == stanzas:
                return message.content
            addressed = message.is_ptp and message.qos.state == STATE_OK  # the news of an erasure is for subscribers
            return stanza_of(message, domain, to) if addressed else pubsub.event(entry, to)

        return encode

    def _adopt(self, session: Session) -> Client:
        self.domain.streams.limit(session)
        local = session.name.subject
        return self.domain.bound(session, self.domain.accounts.unlisted(local))

    async def _recover(self, clients: list[Client]) -> None:
        await self.domain.accounts.recover()
        await self._present.recover()
        loading = []
        for client in clients:
            loaded = ensureDeferred(self._load(client))
            loaded.addErrback(partial(log.failure, "{jid} is not recovered well", jid=client.full))
            loading.append(loaded)
        await gatherResults(loading)
        self._present.contacts_informed()

    async def _load(self, client: Client) -> None:
        await self.domain.accounts.reload(client.account)
        for listener in self.domain.hooks.recovered:
            listener(client)

    def _ending(self, session: Session) -> None:
        client = self.domain.client_of(session)
        if client is None:
            return
        self._keep_handled(client)
        for listener in self.domain.hooks.ended:
            try:
                listener(client)
            except Exception:  # noqa: BLE001 - it is logged, and the others must be told all the same
                log.failure("{jid}: its end could not be told to all", jid=client.full)
        self.domain.unbound(client)
        if session.subject.guest:
            self.domain.accounts.forget(client.jid.local)

    def _blocks(self, receiver: str, sender: str) -> bool:
        """Whether an account blocks another one, whatever protocol that sends by (XEP-0191)."""
        account = self.domain.accounts.blocked_by(receiver)
        return account is not None and self.domain.blocks(account, JID(sender, self.settings.domain))

    async def _account_removed(self, local: str) -> None:
        accounts = self.domain.accounts
        account = await accounts.forget_removed(local)
        await self._subscriptions.account_removed(account)

    def _keep_handled(self, client: Client) -> None:
        """Remember what had arrived of a stream that was not resumed in time (I8)."""
        settings, dispatch = self.settings, client.dispatch
        if not (settings.sm_stale_h and dispatch.stream.resumable and dispatch.expired):
            return
        node = self._broker.node
        expires = node.now() + settings.sm_stale_h_life * 1000
        data = str(dispatch.handled % sm.MODULUS).encode()
        self._broker.documents.put(client.jid.local, STALE_HANDLED, client.session.secret_id, data, expires)

    def _purge_handled(self) -> None:
        node = self._broker.node
        self._purge = None
        if self.settings.sm_stale_h and self.settings.sm_stale_h_interval > 0:
            self._broker.documents.purge()
            self._purge = node.later(self.settings.sm_stale_h_interval * 1000, self._purge_handled)


def _delayed(domain: str, stanza: bytes, stamp: int) -> bytes:
    return delayed(stanza, domain, stamp)
