"""The sessions of connection managers that speak frames, and who may have how many (manager-links.md)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from broker.model.host import address_of
from broker.net.admission import Admission
from broker.net.limits import Limits
from broker.net.rate import Rate
from broker.net.store_pressure import StorePressure
from broker.net.turns import Turns
from broker.ports import IStore
from broker.timers import cancel
from broker.xmpp.managers.channel import Channel, Link
from broker.xmpp.managers.over_frames import client_over_frames
from broker.xmpp.service import XmppService
from broker.xmpp.wire.frame_values import Open
from broker.xmpp.wire.frames import FrameError

if TYPE_CHECKING:
    from broker.xmpp.managers.frame_link import FrameLink

log = Logger()

WINDOW_SLACK = 65_536
"""Bytes of a window beyond the longest stanza: only whole ones are acknowledged."""
BUFFER = 65_536
"""What a connection of a client's own would have in its transport's buffer, beside the room of the limits."""
ACKNOWLEDGE_AFTER = 0.25
"""Seconds after which what came is acknowledged: one commit then stands for many."""
SOON = 0.01
"""Seconds, where a manager may have to wait for it."""
REST_AFTER = 1.0
"""Seconds without input after which a stream takes less memory; twice as long at most."""
MAX_INSTANCE = 128


@dataclass(frozen=True, slots=True)
class FrameSettings:
    """What all managers have in common.

    Args:
        service: that their clients use.
        clock: of all deadlines.
        turns: that clients take.
        pressure: of the store, which their streams wait for.
        limits: of the clients' connections; their numbers and rates count for each manager.
        tell: the log, of what became of clients; see :class:`broker.net.listener.Listener`.
        grace: seconds that sessions without a link are kept.
        idle: seconds without input after which a link is given up.
        max_bytes: that may wait for the clients of one manager before their streams are told to write no more.
        certificates: whether a client may log in with a certificate that its manager has verified (SASL EXTERNAL).
    """

    service: XmppService
    clock: IReactorTime
    turns: Turns
    pressure: StorePressure | None = None
    limits: Limits = Limits()
    tell: Callable[[str, Callable[[], str]], None] = lambda name, text: None
    grace: float = 60.0
    idle: int = 300
    max_bytes: int = 256 << 20
    certificates: bool = False

    @property
    def store(self) -> IStore:
        """Where what clients cause is kept."""
        store: IStore = self.service.domain.node.store
        return store

    @property
    def window(self) -> int:
        """Bytes of a session that may be unacknowledged, in each direction."""
        return self.service.settings.max_stanza + WINDOW_SLACK


class FramedManager:
    """One manager, by its name: how much its processes have together.

    Args:
        name: of the manager.
        settings: of all managers.

    Attributes:
        name: as above.
        admission: counts its clients.
        bytes: that wait for them.
        processes: by their instances.
    """

    __slots__ = ("admission", "bytes", "name", "processes")

    def __init__(self, name: str, settings: FrameSettings) -> None:
        limits = settings.limits
        self.name = name
        self.bytes = 0
        self.processes: dict[str, ManagerProcess] = {}
        self.admission = Admission(
            settings.clock,
            limits.max_connections,
            limits.max_pending,
            max_strangers=limits.max_strangers,
            rate=Rate(settings.clock, limits.rate, limits.burst) if limits.rate else None,
        )


class ManagerProcess:
    """The sessions of one process of a manager, over all its links; nobody else can name them.

    Args:
        manager: whose process it is.
        instance: names it.
        sessions: all there are.

    Attributes:
        manager: as above.
        instance: as above.
        settings: of all managers.
        links: its links.
        channels: its sessions, by number.
    """

    __slots__ = ("_sessions", "channels", "instance", "links", "manager", "settings")

    def __init__(self, manager: FramedManager, instance: str, sessions: FramedSessions) -> None:
        self.manager = manager
        self.instance = instance
        self.settings = sessions.settings
        self.links: set[FrameLink] = set()
        self.channels: dict[int, Channel] = {}
        self._sessions = sessions

    @property
    def others(self) -> list[ManagerProcess]:
        """Other processes that are linked under the same name."""
        processes = self.manager.processes.values()
        return [each for each in processes if each is not self and any(link.is_open for link in each.links)]

    def open(self, link: Link, number: int, wanted: Open) -> None:
        """Begin a session.

        Args:
            link: that it begins on.
            number: of the session.
            wanted: what the manager says of the client.

        Raises:
            FrameError: the number has been given.
        """
        if number in self.channels:
            raise FrameError(f"session {number} is there already")
        host = wanted.address if address_of(wanted.address) is not None else ""
        admission = self.manager.admission
        admitted = admission.admits(host)
        channel = self.channels[number] = client_over_frames(self, number, host, wanted)
        channel.link = link
        admission.opened(channel, host)
        if admitted:
            if wanted.resume is None:
                channel.opened()
            channel.stream.connected()
        else:
            channel.refuse("resource-constraint", "there are too many clients")

    def attach(self, link: Link, number: int, expected: int) -> bool:
        """Go on with a session over another link.

        Args:
            link: that one.
            number: of the session.
            expected: offset of the next byte that the manager expects.

        Returns:
            Whether there is such a session.

        Raises:
            FrameError: that byte cannot be expected.
        """
        channel = self.channels.get(number)
        if channel is None:
            return False
        channel.attach(link, expected)
        return True

    def lost(self, link: FrameLink, *, reason: str, drained: bool = False) -> None:
        """A link is gone: its sessions wait for another one.

        Args:
            link: that one.
            reason: for people.
            drained: the manager has said that it attaches none of them again.
        """
        self.links.discard(link)
        detached = [channel for channel in self.channels.values() if channel.link is link]
        for channel in detached:
            channel.detach()
        if drained:
            for channel in [each for each in self.channels.values() if each.link is None]:
                channel.lost(reason)
        elif detached:
            self._sessions.wait(detached, reason)
        self._sessions.forget_unused(self)

    def remove(self, channel: Channel) -> None:
        """A session is over."""
        if self.channels.get(channel.number) is channel:
            del self.channels[channel.number]
            self.manager.admission.closed(channel)
            self.let_go(channel.kept)
            self._sessions.removed(channel)
            self._sessions.forget_unused(self)

    def brought(self, channel: Channel) -> None:
        """A client has sent something, which is to be acknowledged."""
        self._sessions.brought(channel)

    def keep(self, size: int) -> None:
        """So many bytes more wait for clients."""
        self.manager.bytes += size

    def let_go(self, size: int) -> None:
        """So many bytes do not wait any more."""
        self.manager.bytes -= size

    @property
    def room(self) -> int:
        """Bytes that may wait for one client before its stream is told to write no more."""
        settings = self.settings
        return settings.limits.room + BUFFER if self.manager.bytes <= settings.max_bytes else 0


class FramedSessions:
    """The sessions of all managers that speak frames.

    Args:
        settings: of them.

    Attributes:
        settings: as above.
        run: names this process of the server.
        managers: by their names.
    """

    def __init__(self, settings: FrameSettings) -> None:
        self.settings = settings
        self.run = secrets.token_hex(16)
        self.managers: dict[str, FramedManager] = {}
        self._unacknowledged: dict[Channel, None] = {}
        self._acknowledging: IDelayedCall | None = None
        self._active: set[Channel] = set()  # in the present REST_AFTER
        self._calm: set[Channel] = set()  # in the one before
        self._resting: IDelayedCall | None = None
        self._graces: set[IDelayedCall] = set()

    def __len__(self) -> int:
        return sum(len(process.channels) for each in self.managers.values() for process in each.processes.values())

    def join(self, link: FrameLink, name: str, instance: str) -> ManagerProcess:
        """A link is open.

        Args:
            link: that one.
            name: of its manager.
            instance: names the manager's process.
        """
        manager = self.managers.get(name)
        if manager is None:
            manager = self.managers[name] = FramedManager(name, self.settings)
        process = manager.processes.get(instance)
        if process is None:
            process = manager.processes[instance] = ManagerProcess(manager, instance, self)
        process.links.add(link)
        return process

    def stop(self) -> None:
        """The server stops: no session is waited for."""
        for call in (self._acknowledging, self._resting, *self._graces):
            cancel(call)
        self._acknowledging = self._resting = None  # the run level may go up again
        self._graces.clear()
        for manager in list(self.managers.values()):
            for process in list(manager.processes.values()):
                for channel in list(process.channels.values()):
                    channel.lost("the server stops")

    def brought(self, channel: Channel) -> None:
        """A client has sent something."""
        self._active.add(channel)
        if self._resting is None:
            self._resting = self.settings.clock.callLater(REST_AFTER, self._rest)
        if channel not in self._unacknowledged:
            self._unacknowledged[channel] = None
        elif not channel.is_pressing:
            return
        self._acknowledge_in(SOON if channel.is_pressing else ACKNOWLEDGE_AFTER)

    def wait(self, channels: list[Channel], reason: str) -> None:
        """Sessions have lost their link: those that get no other one within the grace time are lost.

        Args:
            channels: the sessions.
            reason: why, for people.
        """

        def lose() -> None:
            self._graces.discard(call)
            for channel in channels:
                if channel.link is None and channel.detached_at <= since:
                    channel.lost(reason)

        since = self.settings.clock.seconds()
        call = self.settings.clock.callLater(self.settings.grace, lose)
        self._graces.add(call)

    def removed(self, channel: Channel) -> None:
        """A session is over."""
        self._unacknowledged.pop(channel, None)
        self._active.discard(channel)
        self._calm.discard(channel)

    def forget_unused(self, process: ManagerProcess) -> None:
        """Forget a process that has neither links nor sessions, and a manager without any process."""
        if process.links or process.channels:
            return
        manager = process.manager
        if manager.processes.get(process.instance) is process:
            del manager.processes[process.instance]
        if not manager.processes and self.managers.get(manager.name) is manager:
            del self.managers[manager.name]

    def _acknowledge_in(self, seconds: float) -> None:
        call = self._acknowledging
        if call is not None and call.active():
            if call.getTime() <= self.settings.clock.seconds() + seconds:
                return
            call.cancel()
        self._acknowledging = self.settings.clock.callLater(seconds, self._acknowledge)

    def _acknowledge(self) -> None:
        self._acknowledging = None
        channels, self._unacknowledged = self._unacknowledged, {}
        pressing = False
        for channel in channels:
            if channel.acknowledge():
                self._unacknowledged[channel] = None
                pressing = pressing or channel.is_pressing
        if self._unacknowledged:
            self._acknowledge_in(SOON if pressing else ACKNOWLEDGE_AFTER)

    def _rest(self) -> None:
        for channel in self._calm - self._active:
            channel.rest()
        self._calm, self._active = self._active, set()
        self._resting = self.settings.clock.callLater(REST_AFTER, self._rest) if self._calm else None
