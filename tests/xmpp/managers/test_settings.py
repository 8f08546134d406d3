"""Properties of the links of connection managers."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.logger import capturedLogs, formatEvent

from broker.config.properties import Properties
from broker.config.syntax import parse
from broker.errors import BrokerError
from broker.xmpp.managers.settings import secrets_of, settings_of
from broker.xmpp.settings import TlsPolicy


def properties(text: str) -> Properties:
    return Properties(file=parse(text, "a file"))


def refusal(text: str) -> str:
    with pytest.raises(BrokerError) as caught:
        settings_of(properties(text))
        secrets_of(properties(text))
    return caught.value.message


class TestSecrets:
    def test_there_is_none_at_first(self) -> None:
        assert not secrets_of(properties(""))

    def test_one_serves_all_managers(self) -> None:
        secrets = secrets_of(properties("xmpp.managers.secret=common"))
        assert secrets
        assert secrets.of("cm1") == secrets.of("cm2") == "common"

    def test_manager_may_have_one_of_its_own_whose_name_is_compared_in_lower_case(self) -> None:
        secrets = secrets_of(properties("xmpp.managers.secret[CM1]=own\nxmpp.managers.secret=common"))
        assert (secrets.of("cm1"), secrets.of("cm2")) == ("own", "common")
        assert secrets_of(properties("xmpp.managers.secret[cm1]=own")).of("cm2") == ""

    def test_they_are_read_from_files(self, tmp_path: Path) -> None:
        (tmp_path / "common").write_text("common \nnot this\n")
        (tmp_path / "own").write_text("own\n")
        text = f"xmpp.managers.secretFile={tmp_path}/common\nxmpp.managers.secretFile[cm1]={tmp_path}/own\n"
        secrets = secrets_of(properties(text))
        assert (secrets.of("cm1"), secrets.of("cm2")) == ("own", "common")

    @pytest.mark.parametrize("name", ["xmpp.managers.secretFile", "xmpp.managers.secretFile[cm1]"])
    def test_file_that_others_can_read_is_warned_of(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / "secret"
        path.write_text("secret\n")
        path.chmod(0o644)
        with capturedLogs() as events:
            secrets_of(properties(f"{name}={path}"))
        (event,) = events
        assert formatEvent(event).startswith(f"{name}: other users can read {path} (mode 0644)")

    def test_file_without_a_secret_is_refused_and_named(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_text("\nsecret\n")
        (tmp_path / "binary").write_bytes(b"\xff\xfe")
        for name in ("missing", "empty", "binary"):
            text = refusal(f"xmpp.managers.secretFile={tmp_path}/{name}")
            assert f"{tmp_path}/{name}" in text
            assert text.startswith("xmpp.managers.secretFile: ")

    def test_they_are_not_shown(self) -> None:
        assert "common" not in repr(secrets_of(properties("xmpp.managers.secret=common\nxmpp.managers.secret[a]=own")))


class TestSettings:
    def test_clients_must_use_tls_at_first(self) -> None:
        assert settings_of(properties("")).client_tls is TlsPolicy.REQUIRED
        assert settings_of(properties("xmpp.managers.clientTls=optional")).client_tls is TlsPolicy.OPTIONAL

    def test_managers_cannot_leave_out_what_the_service_demands(self) -> None:
        assert "xmpp.tls" in refusal("xmpp.managers.clientTls=optional\nxmpp.tls=required")

    def test_names_and_addresses_are_lists(self) -> None:
        settings = settings_of(properties("xmpp.managers.names=CM1, cm2\nxmpp.managers.addresses=::ffff:10.0.0.1,::1"))
        assert settings.names == {"cm1", "cm2"}
        assert settings.addresses == {"10.0.0.1", "::1"}

    def test_what_is_no_address_is_refused(self) -> None:
        assert "cm.example" in refusal("xmpp.managers.addresses=10.0.0.1, cm.example")

    def test_times_have_units(self) -> None:
        settings = settings_of(properties("xmpp.managers.grace=2m\nxmpp.managers.idle=90s"))
        assert (settings.grace, settings.idle) == (120, 90)
