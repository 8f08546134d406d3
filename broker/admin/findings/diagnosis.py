"""The diagnosis: all that is wrong or odd, the worst first, with what to do (``/diagnose``)."""

from __future__ import annotations

import heapq
import resource
import stat
from collections.abc import Iterator

from broker.admin.findings.conditions import ALARMS
from broker.admin.findings.finding import LINKS, RANKS, Finding, Severity
from broker.admin.findings.watch import Watch
from broker.admin.options import administrators
from broker.admin.scan import scan
from broker.admin.views.sessions import name_of
from broker.auth.wiring import ALLOW_SIMPLE
from broker.config.options import REGISTRY
from broker.core.rights import ADMINISTRATOR
from broker.core.sessions import Session
from broker.core.subscriptions import Subscription
from broker.file_limit import SPARE
from broker.logs.settings import LEVEL, LEVELS, Level
from broker.private_files import OTHERS
from broker.xmpp.settings import ANONYMOUS, PLAIN_WITHOUT_TLS

FULLEST = 10
TOO_OFTEN = 10
"""Deliveries of the same message that failed, above which something is wrong with it or its receiver."""
MAX_NAMED = 10
HALF = 0.5


async def diagnose(watch: Watch) -> list[Finding]:
    """Look for everything, in slices.

    Args:
        watch: the numbers of the broker.
    """
    found = [finding for condition in ALARMS if (finding := condition(watch, False)) is not None]
    found += _of_configuration(watch)
    found += _of_system(watch)
    if watch.sources.core is not None:
        found += await _of_objects(watch)
    return sorted(found, key=lambda each: RANKS[each.severity])


def _of_configuration(watch: Watch) -> Iterator[Finding]:
    properties = watch.sources.instance.properties
    unknown = REGISTRY.unknown(properties)
    if unknown:
        yield Finding(
            "unknownProperties",
            Severity.WARNING,
            f"{len(unknown)} properties are not known, and without effect",
            "what they were meant to change is as by default",
            "Correct or remove them; broker defaults prints all that there are.",
            {each.name[:200]: each.source for each in unknown[:MAX_NAMED]},
            f"{LINKS}/properties",
        )
    for option, what in (
        (ALLOW_SIMPLE, "whoever names the security plugin simple logs in with any password"),
        (PLAIN_WITHOUT_TLS, "clients of this machine send passwords without TLS"),
        (ANONYMOUS, "clients log in without an account"),
    ):
        if option.get(properties):
            yield Finding(
                "insecureSetting",
                Severity.NOTICE,
                f"{option.name} is switched on: {what}",
                what,
                f"Set {option.name}=false unless this is meant to be so.",
                {"property": option.name},
                f"{LINKS}/properties/{option.name}",
            )
    core = watch.sources.core
    if not administrators(properties) and (core is None or ADMINISTRATOR not in core.node.roles.values()):
        yield Finding(
            "noAdministrator",
            Severity.NOTICE,
            "there is no administrator: only over the Unix socket can anything be changed",
            "nothing is refused to them",
            "Give an account the role administrator, or name one in admin.users.",
            {},
            f"{LINKS}/properties/admin.users",
        )
    debug = [name for name, text in LEVELS.get(properties).items() if text.strip().lower() == Level.DEBUG]
    if LEVEL.get(properties) is Level.DEBUG or debug:
        yield Finding(
            "debugLog",
            Severity.NOTICE,
            f"the log has the level debug: {', '.join(debug[:MAX_NAMED]) or 'of everything'}",
            "the broker is slower than it could be",
            "Set log.level=info; PUT /log-levels gives a part the level debug for a while.",
            {},
            f"{LINKS}/log-levels",
        )


def _of_system(watch: Watch) -> Iterator[Finding]:
    instance = watch.sources.instance
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    wanted = sum(listener.admission.max_connections for _, listener in watch.sources.listeners())
    if most not in (resource.RLIM_INFINITY,) and wanted and most < wanted + SPARE:
        yield Finding(
            "fileLimitLow",
            Severity.WARNING,
            f"{most} files may be open, and the listeners would accept {wanted} connections",
            "clients are refused long before maxConnections",
            "Raise the limit (LimitNOFILE= of systemd, ulimit -Hn), or lower maxConnections.",
            {"maxFiles": most, "maxConnections": wanted},
        )
    try:
        mode = stat.S_IMODE(instance.data.stat().st_mode)
    except OSError:  # there is none, with a database elsewhere
        return
    if mode & OTHERS:
        yield Finding(
            "dataReadable",
            Severity.WARNING,
            f"others may look into the data directory, whose mode is {mode:o}",
            "users of this machine may read messages and password verifiers",
            "chmod 700 the data directory.",
            {"mode": f"{mode:o}"},
        )


async def _of_objects(watch: Watch) -> list[Finding]:
    core = watch.sources.core
    assert core is not None
    node, reactor = core.node, watch.sources.instance.reactor
    fullest: list[tuple[float, str]] = []
    repeated: list[str] = []
    idle = 0

    def look_at_session(session: Session) -> None:
        queue = session.queue
        if not queue.entries:
            return
        name = name_of(session)
        ratio = max(queue.entries / max(queue.limits.entries, 1), queue.bytes / max(queue.limits.bytes, 1))
        if ratio >= HALF:
            heapq.heappush(fullest, (ratio, name))
            if len(fullest) > FULLEST:
                heapq.heappop(fullest)
        first = queue.peek(1)
        if first and first[0].redeliver > TOO_OFTEN and len(repeated) < MAX_NAMED:
            repeated.append(name)

    def look_at_subscription(subscription: Subscription) -> None:
        nonlocal idle
        if subscription.is_rule and not subscription.topics:
            idle += 1

    await scan(list(node.sessions.values()), look_at_session, reactor)
    await scan(list(node.subscriptions.values()), look_at_subscription, reactor)
    found: list[Finding] = []
    if fullest:
        found.append(
            Finding(
                "fullestQueues",
                Severity.NOTICE,
                f"the fullest queue, of {max(fullest)[1]}, is {max(fullest)[0]:.0%} full",
                "when it is full its onOverflow decides",
                "See why it waits.",
                {name: round(ratio, 3) for ratio, name in sorted(fullest, reverse=True)},
                f"{LINKS}/queues?sort=-fillRatio",
            )
        )
    if repeated:
        found.append(
            Finding(
                "redeliveredOften",
                Severity.WARNING,
                f"the first message of {', '.join(repeated)} was delivered over {TOO_OFTEN} times in vain",
                "what is behind it does not get through",
                "See what its client says of it; the entry can be moved or deleted.",
                {"sessions": len(repeated)},
                f"{LINKS}/sessions?minQueueEntries=1",
            )
        )
    if idle:
        found.append(
            Finding(
                "idleSubscriptions",
                Severity.NOTICE,
                f"{idle} subscriptions by query match no topic",
                "their clients get nothing by them",
                "They may wait for topics to come; else their queries have a mistake.",
                {"subscriptions": idle},
            )
        )
    return found
