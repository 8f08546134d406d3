"""What real connection managers sent to a server gets equivalent answers from the broker, so that they go on with it.

Every difference stands here, and with its reason in ``docs/connection-managers.md``; one that goes or comes anew fails.
"""

from __future__ import annotations

import pytest

from tests.replay.managers import Player, load, scenarios

OFFERED = {"error bad-request unknown-stanza, recorded only": 2, "enabled, ours only": 1, "a, ours only": 1}
"""Stream management works through a manager."""
KEPT = {"error close item-not-found, recorded only": 1, "result close, ours only": 1}
"""The clients of a manager outlive its last link."""
STRANGER = "error not-authorized, ours only"
"""Nobody may send stanzas before a login, as the clients of some scenarios do."""
SHORT_NAME = {"iq result b1, recorded only": 1, "iq error b1 bad-request, ours only": 1}
"""Login names have two characters at least, and these clients have one."""

DIFFERENCES: dict[str, dict[str, int]] = {
    # A client's request to one that is gone is answered to whoever has asked, and the manager gets no error for it.
    # It gives back a message that the recorded server has sent, and this one has not.
    "03-lifecycle-363-N1": {
        **OFFERED,
        "error item-not-found, recorded only": 1,
        "result failed, recorded only": 1,
        "error failed item-not-found, ours only": 1,
    },
    # The recorded server did not send what it has to.
    "04b-no-config-363": {"configuration, ours only": 1},
    "09b-create-no-reply-headfix": {"result create, ours only": 1},
    "09c-create-result-without-child-headfix": {
        "result nothing, recorded only": 2,
        "result create, ours only": 1,
        "result close, ours only": 1,
    },
    "09e-create-no-reply-363": {"result create, ours only": 1},
    # Compression without TLS, which this manager does not survive, is neither offered nor begun.
    "06b-link-zlib-no-tls-363": {"stream error unsupported-stanza-type, ours only": 4},
    "07b-only-link-FIN-363": {**KEPT, "error item-not-found, recorded only": 23},
    "07c-server-gone-idle-client-363": {**KEPT, "error item-not-found, recorded only": 1},
    # The recorded server refused all clients.
    "09a-create-error-363": {
        "error create not-allowed, recorded only": 1,
        "error item-not-found, recorded only": 1,
        "error close item-not-found, recorded only": 1,
        "result create, ours only": 1,
        "result close, ours only": 1,
        "success, ours only": 1,
    },
    # A stanza that is malformed ends one session, and never the link.
    "16-xml-edge-363": {
        "stream error xml-not-well-formed, recorded only": 1,
        "error not-well-formed, ours only": 1,
        "error restricted-xml, ours only": 1,
        "error item-not-found, recorded only": 1,
        STRANGER: 12,
        "set: close, ours only": 14,
    },
    "16-xml-edge-headfix": {
        "error restricted-xml, ours only": 1,
        "error item-not-found, recorded only": 1,
        STRANGER: 12,
        "set: close, ours only": 13,
    },
    # Logins are by SASL only.
    "17-nonsasl-directtls-363": {"iq result a1, recorded only": 1, STRANGER: 1, "set: close, ours only": 1},
    "18-client-compress-363": SHORT_NAME,
    "18-client-compress-disabled-363": SHORT_NAME,
    "25-sigkill-with-clients-363": SHORT_NAME,
}


@pytest.mark.parametrize("name", scenarios())
def test_recorded_manager_gets_equivalent_answers(name: str) -> None:
    assert Player(load(name)).play() == DIFFERENCES.get(name, {})


def test_every_scenario_with_differences_is_recorded() -> None:
    assert set(DIFFERENCES) <= set(scenarios())
