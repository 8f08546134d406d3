"""The conditions of alarms, which are those of the alerts of ``share/prometheus``, judged by the broker itself."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable

from broker.admin import memory
from broker.admin.census import FILL_RATIOS, Relating
from broker.admin.findings.finding import LINKS, Finding, Severity
from broker.admin.findings.watch import Watch
from broker.core.hindrances import Hindrance

STORE_FAILING = "storeFailing"
"""Code of the alarm of a store that cannot commit."""
CERTIFICATE_EXPIRES = "certificateExpires"
"""Code of the alarm of a certificate that ends soon."""
DAY = 86_400.0
HOUR = 3600.0
NEAR = 0.85
"""Part of a limit from which on it is nearly reached."""
RELIEF = 0.95
"""What was raised stays so until it is below this part of its bound, so that it does not come and go."""
SLOW_REACTOR = 0.25
LAG_SECONDS = 300.0
OLD_SECONDS = 3600
DEAD_SECONDS = 600.0
LOGIN_SECONDS = 60.0
JUMP = 1.0
JUMP_SECONDS = 3600.0
MEANT_TO_WAIT = frozenset({Hindrance.DETACHED_STREAM, Hindrance.RECEIVER_AWAY, Hindrance.HELD_BACK})
"""Why queues may wait without anything being wrong: their clients are away, or have asked for it."""
NEARLY_FULL = FILL_RATIOS.index(0.9)
DESCRIPTORS = "/proc/self/fd"

Condition = Callable[[Watch, bool], Finding | None]
"""Looks for one thing; it is told whether that is raised already."""


def _bound(bound: float, raised: bool) -> float:
    return bound * RELIEF if raised else bound


def store_fails(watch: Watch, raised: bool) -> Finding | None:
    """The store cannot commit."""
    seconds = watch.sources.health.store_failing_seconds()
    if seconds is None:
        return None
    return Finding(
        STORE_FAILING,
        Severity.CRITICAL,
        f"nothing has been committed for {seconds:.0f} s: {watch.sources.instance.store.failure}",
        "publishers wait: the store cannot commit; connections stay, and logins are refused",
        "Mend the disk or the database that the log names; the broker goes on by itself within seconds.",
        {"failingSeconds": round(seconds, 1)},
        f"{LINKS}/overview",
        "docs/alerts.md#brokerstorefailing",
    )


def disk_fills(watch: Watch, raised: bool) -> Finding | None:
    """The disk of the database has little room."""
    free, used = watch.sources.files.free_disk_bytes, watch.sources.files.database_bytes
    if free is None or not used or free * _bound(1.0, raised) >= 0.1 * used:
        return None
    return Finding(
        "diskFillsUp",
        Severity.WARNING,
        f"{free} bytes are free where a database of {used} bytes is",
        "nothing is refused; where the disk is full nothing can be committed any more",
        "Make room on the disk, or see which queues hold most.",
        {"freeDiskBytes": free, "databaseBytes": used},
        f"{LINKS}/queues?sort=-bytes",
        "docs/alerts.md#brokerdiskfillsup",
    )


def memory_is_high(watch: Watch, raised: bool) -> Finding | None:
    """The process uses nearly all memory that it may."""
    used, most = memory.resident(), memory.limit()
    if not most or used < _bound(NEAR, raised) * most:
        return None
    return Finding(
        "memoryHigh",
        Severity.WARNING,
        f"the process uses {used} of {most} bytes of memory",
        "nothing is refused; at the limit the system ends the broker",
        "Lower queue.cacheBytes, or give it more memory.",
        {"residentBytes": used, "limitBytes": most},
        f"{LINKS}/overview",
        "docs/alerts.md#brokermemoryhigh",
    )


def files_run_out(watch: Watch, raised: bool) -> Finding | None:
    """Nearly as many files are open as may be."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    used = open_files()
    if most == resource.RLIM_INFINITY or used < _bound(NEAR, raised) * most:
        return None
    return Finding(
        "filesNearLimit",
        Severity.WARNING,
        f"{used} of {most} files are open",
        "at the limit no client can connect",
        "Raise the limit (LimitNOFILE= of systemd, ulimit -n) and restart.",
        {"openFiles": used, "maxFiles": most},
        f"{LINKS}/connections",
        "docs/alerts.md#brokerfilesnearlimit",
    )


def open_files() -> int:
    """Files that the process has open; 0 where the system does not tell."""
    try:
        return os.stat(DESCRIPTORS).st_size or len(os.listdir(DESCRIPTORS))  # the size, since Linux 6.2
    except OSError:
        return 0


def connections_run_out(watch: Watch, raised: bool) -> Finding | None:
    """A listener has nearly as many connections as it may."""
    for name, listener in watch.sources.listeners():
        used, most = len(listener.admission), listener.admission.max_connections
        if used >= _bound(NEAR, raised) * most:
            return Finding(
                "connectionsNearLimit",
                Severity.WARNING,
                f"{name} has {used} of {most} connections",
                "at the limit new clients are refused",
                "See whether a client connects over and over; else raise the listener's maxConnections.",
                {"listener": name, "connections": used, "maxConnections": most},
                f"{LINKS}/connections?listener={name}",
                "docs/alerts.md#brokerconnectionsnearlimit",
            )
    return None


def certificates_expire(days: float = 21.0) -> Condition:
    """A certificate that a listener shows ends soon.

    Args:
        days: what soon means; a third of it is critical.
    """

    def find(watch: Watch, raised: bool) -> Finding | None:
        now = watch.wall()
        ends = [
            ((listener.settings.tls.certificate.not_valid_after_utc.timestamp() - now) / DAY, name)
            for name, listener in watch.sources.listeners()
            if listener.settings.tls is not None
        ]
        left, name = min(ends, default=(days, ""))
        if left >= days:
            return None
        return Finding(
            CERTIFICATE_EXPIRES,
            Severity.CRITICAL if left < days / 3 else Severity.WARNING,
            f"the certificate of {name} ends in {left:.1f} days",
            "after that clients refuse to connect",
            "Put the new certificate into its file and reload it: connections stay.",
            {"listener": name, "daysLeft": round(left, 2)},
            f"{LINKS}/listeners/{name}",
            "docs/alerts.md#brokercertificateexpires",
        )

    return find


def backup_is_old(hours: float = 26.0) -> Condition:
    """There are backups, and the newest is old.

    Args:
        hours: what old means.
    """

    def find(watch: Watch, raised: bool) -> Finding | None:
        backup = watch.sources.last_backup()
        age = 0.0 if backup is None else watch.wall() - backup.at
        if age <= hours * HOUR:
            return None
        return Finding(
            "backupOld",
            Severity.WARNING,
            f"the newest backup is {age / HOUR:.1f} hours old",
            "nothing is refused; what came since is lost with the disk",
            "The log has why none was made; broker backup makes one.",
            {"ageSeconds": round(age)},
            "",
            "docs/alerts.md#brokerbackupold",
        )

    return find


def reactor_is_slow(watch: Watch, raised: bool) -> Finding | None:
    """Everybody waits for the reactor."""
    lag = watch.lag(LAG_SECONDS)
    if lag <= _bound(SLOW_REACTOR, raised):
        return None
    return Finding(
        "reactorLag",
        Severity.WARNING,
        f"one of 100 calls of the reactor was {lag:g} s late",
        "everybody waits so long now and then",
        "Look at the processor, and at the rate of messages; SIGQUIT writes to standard error what the process does.",
        {"lagSeconds": lag},
        f"{LINKS}/overview",
        "docs/alerts.md#brokerreactorlag",
    )


def queues_are_nearly_full(watch: Watch, raised: bool) -> Finding | None:
    """Queues of clients are over 90 % full."""
    queues = watch.sources.census.numbers.queues
    count = sum(queues[relating].filled[NEARLY_FULL] for relating in (Relating.CALLBACK, Relating.SUBJECT))
    if not count:
        return None
    return Finding(
        "queueNearlyFull",
        Severity.WARNING,
        f"queues over 90 % full: {count}",
        "when one is full its onOverflow decides: messages die, publishers wait or get an error",
        "See why they wait, and whether their clients are connected.",
        {"queues": count},
        f"{LINKS}/queues?minFillRatio=0.9&sort=-fillRatio",
        "docs/alerts.md#brokerqueuesnearlyfull",
    )


def queues_are_stuck(watch: Watch, raised: bool) -> Finding | None:
    """Queues let no message go, and no client of theirs is away or has asked for that."""
    stuck = {cause: count for cause, count in watch.sources.census.flows.stuck.items() if cause not in MEANT_TO_WAIT}
    if not stuck:
        return None
    cause = max(stuck, key=lambda each: stuck[each])
    return Finding(
        "queuesStuck",
        Severity.WARNING,
        f"queues that have let no message go for a minute: {sum(stuck.values())}, mostly because of {cause}",
        "their receivers get nothing",
        f"docs/why.md says what {cause} means and what to do.",
        {each.value: count for each, count in stuck.items()},
        f"{LINKS}/queues?waitingCode={cause}",
        "docs/alerts.md#brokerqueuesstuck",
    )


def messages_are_old(watch: Watch, raised: bool) -> Finding | None:
    """A message has been the first of a session's queue for long."""
    numbers = watch.sources.census.numbers
    oldest = numbers.queues[Relating.CALLBACK].oldest
    seconds = (numbers.at - oldest) // 1000 if oldest else 0
    if seconds <= OLD_SECONDS:
        return None
    return Finding(
        "oldMessages",
        Severity.WARNING,
        f"a message has waited {seconds} s as the first of its queue",
        "its receiver is away, or does not answer",
        "See why its queue waits.",
        {"oldestSeconds": seconds},
        f"{LINKS}/queues?relating=callback&olderThanSeconds={OLD_SECONDS}",
        "docs/alerts.md#brokeroldmessages",
    )


def publishers_wait(watch: Watch, raised: bool) -> Finding | None:
    """Requests wait for room in queues."""
    core = watch.sources.core
    count = 0 if core is None else core.node.waiting_publishers
    if not count:
        return None
    return Finding(
        "publishersWait",
        Severity.WARNING,
        f"{count} publishers wait for room in queues whose onOverflow is block",
        "they wait, up to the limit of the block, and get an error then",
        "See which queues are full, and why they wait.",
        {"publishersWaiting": count},
        f"{LINKS}/queues?minFillRatio=1",
        "docs/alerts.md#brokerpublisherswait",
    )


def messages_die(watch: Watch, raised: bool) -> Finding | None:
    """Messages could not be delivered lately."""
    dead = watch.dead(DEAD_SECONDS)
    if not dead:
        return None
    group = max(dead, key=lambda each: dead[each])
    return Finding(
        "deadMessages",
        Severity.WARNING,
        f"messages that died in the last 10 minutes: {sum(dead.values())}, mostly because of {group}",
        "their receivers do not get them; those of persistent messages are kept",
        "docs/alerts.md says what each reason means.",
        {each.value: count for each, count in dead.items()},
        "",
        "docs/alerts.md#brokerdeadmessages",
    )


def logins_fail(watch: Watch, raised: bool) -> Finding | None:
    """Many logins fail."""
    rate = watch.logins_failed_per_second(LOGIN_SECONDS)
    if rate <= _bound(1.0, raised):
        return None
    return Finding(
        "loginsFail",
        Severity.WARNING,
        f"{rate:.1f} logins a second fail",
        "whoever fails too often has to wait",
        "The audit has names and addresses: somebody guesses, or a client has an old password.",
        {"failedPerSecond": round(rate, 2)},
        "",
        "docs/alerts.md#brokerloginsfail",
    )


def clock_jumps(watch: Watch, raised: bool) -> Finding | None:
    """Somebody has set the clock of the machine."""
    jump = watch.clock_jump(JUMP_SECONDS)
    if jump < JUMP:
        return None
    return Finding(
        "clockJumped",
        Severity.WARNING,
        f"the clock of the machine was set by {jump:.1f} s within the last hour",
        "messages expire earlier or later than they should",
        "Let NTP slew the clock rather than step it.",
        {"jumpSeconds": round(jump, 1)},
        "",
        "docs/alerts.md",
    )


ALARMS: tuple[Condition, ...] = (
    store_fails,
    disk_fills,
    memory_is_high,
    files_run_out,
    connections_run_out,
    certificates_expire(),
    backup_is_old(),
    reactor_is_slow,
    queues_are_nearly_full,
    queues_are_stuck,
    messages_are_old,
    publishers_wait,
    messages_die,
    logins_fail,
    clock_jumps,
)
