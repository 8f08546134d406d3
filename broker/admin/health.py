"""Whether the broker lives, and whether it is ready for clients: two questions with two answers.

Who is not alive is restarted, so nothing counts for it that a restart does not mend: not a full disk, not a recovery
that takes long. Who is not ready gets no new clients.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from broker.admin.instance import Instance
from broker.admin.options import STORE_GRACE
from broker.runlevels.levels import RUNNING, describe

RECOVERED_LEVEL = 4
"""Sessions and topics are there from this run level on."""


class Phase(StrEnum):
    """What the broker is at."""

    STARTING = "starting"
    RECOVERING = "recovering"
    STANDBY = "standby"
    RUNNING = "running"
    STOPPING = "stopping"


class Liveness(msgspec.Struct, frozen=True):
    """The answer of ``/health/live``.

    Args:
        status: ``live``, or ``ending``.
        phase: what the broker is at.
    """

    status: str
    phase: Phase


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why the broker is not ready.

    Args:
        code: ``stopping``, ``standby``, ``runLevel``, ``listeners`` or ``store``.
        detail: one sentence, for those who may see it.
    """

    code: str
    detail: str = ""


class Readiness(msgspec.Struct, frozen=True):
    """The answer of ``/health/ready``.

    Args:
        status: ``ready`` or ``notReady``.
        reasons: why not; none where it is ready.
    """

    status: str
    reasons: list[Reason]


class Health:
    """Tells how a broker is.

    Args:
        instance: the broker.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    @property
    def phase(self) -> Phase:
        """What the broker is at."""
        instance = self._instance
        levels = instance.run_levels
        if not instance.running:
            return Phase.STOPPING
        if self._stands_by:
            return Phase.STANDBY
        if levels.level == RUNNING:
            return Phase.RUNNING if instance.serving else Phase.STARTING
        if levels.target is None or levels.target <= levels.level:
            return Phase.STANDBY
        return Phase.RECOVERING if levels.level < RECOVERED_LEVEL else Phase.STARTING

    def liveness(self) -> Liveness:
        """It lives as long as it can be asked, and has not been told to end."""
        phase = self.phase
        return Liveness("ending" if phase is Phase.STOPPING else "live", phase)

    def reasons(self, *, strict: bool = False) -> list[Reason]:
        """Why it is not ready; empty where it is.

        Args:
            strict: a store that cannot commit counts at once. Else it does after ``health.storeGraceSeconds``, since
                clients are better off waiting on their connections than without.
        """
        instance = self._instance
        if not instance.running:
            return [Reason("stopping", "the broker has been told to end")]
        if self._stands_by:
            return [Reason("standby", "another broker has the database; this one takes over when that one is gone")]
        level = instance.run_levels.level
        if level < RUNNING:
            return [Reason("runLevel", f"the broker is at run level {describe(level)}")]
        reasons: list[Reason] = []
        if not instance.serving:
            reasons.append(Reason("listeners", "the ports for clients are not open"))
        draining = [name for name, listener in instance.listeners() if listener.admission.draining]
        if draining:
            reasons.append(Reason("listeners", f"{', '.join(draining)} let no new connections in"))
        failing = self.store_failing_seconds()
        if failing is not None and (strict or failing >= STORE_GRACE.get(instance.properties)):
            failure = instance.store.failure
            reasons.append(Reason("store", f"nothing is committed for {failing:.0f} seconds: {failure}"))
        return reasons

    @property
    def _stands_by(self) -> bool:
        store = self._instance.store
        return store is not None and store.stands_by

    def store_failing_seconds(self) -> float | None:
        """For how long the store has not been able to commit; ``None`` where it is, or is not open."""
        store = self._instance.store
        if store is None or store.failing_since is None:
            return None
        return max(0.0, float(self._instance.reactor.seconds() - store.failing_since))
