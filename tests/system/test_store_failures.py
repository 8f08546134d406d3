"""A store that cannot write stops acknowledgements, says so, and goes on when it can."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from broker.client import BlockingClient, ConnectOptions, PublishOptions, SubscribeOptions
from tests.contract.databases import postgresql
from tests.system.http_client import ask_socket
from tests.system.launcher import BrokerProcess, wait_until
from tests.system.native_client import connected

pytestmark = pytest.mark.system

PERSISTENT = PublishOptions(persistent=True)
RECEIVER = ConnectOptions("jack", "secret", session=1, persistent=True, burst=50)
FAILS = r"The store cannot commit"
WORKS = r"The store commits again"
SMALL = 400_000
UNLIMITED = "unlimited"


def with_accounts(broker: BrokerProcess) -> BrokerProcess:
    arguments = [word for key, value in broker.settings.items() if "." in key for word in ("--set", f"{key}={value}")]
    broker.add_accounts("joe", "jack", arguments=arguments)
    return broker


def received(broker: BrokerProcess) -> list[str]:
    jack = connected(broker, RECEIVER)
    texts = [update.text for update in jack.updates(timeout=2)]
    jack.disconnect()
    return texts


class Publisher(Thread):
    """Publishes one message and notes when it is acknowledged."""

    def __init__(self, joe: BlockingClient, content: str) -> None:
        super().__init__(daemon=True)
        self._joe = joe
        self._content = content
        self._answered = Event()

    def acknowledged(self) -> bool:
        """Whether the answer has come."""
        return self._answered.is_set()

    def run(self) -> None:
        self._joe.publish("news", self._content, PERSISTENT)
        self._answered.set()


class TestSqlite:
    @pytest.fixture
    def broker(self, tmp_path: Path) -> Iterator[BrokerProcess]:
        with BrokerProcess(tmp_path / "data") as started:
            yield with_accounts(started)

    def limit_files(self, broker: BrokerProcess, size: int | str) -> None:
        subprocess.run(["prlimit", f"--pid={broker.pid}", f"--fsize={size}:{UNLIMITED}"], check=True)

    def test_file_that_cannot_grow_stops_acknowledgements_until_it_can(self, broker: BrokerProcess) -> None:
        # given a subscriber that is away, and a publisher
        jack = connected(broker, RECEIVER)
        jack.subscribe("news", options=SubscribeOptions(persistent=True))
        jack.leave()
        joe = connected(broker, ConnectOptions("joe", "secret", callbacks=False))
        joe.publish("news", "before", PERSISTENT)
        other = connected(broker, ConnectOptions("joe", "secret", callbacks=False))
        # when no file may grow any more
        self.limit_files(broker, SMALL)
        late = Publisher(joe, "x" * SMALL * 2)
        late.start()
        broker.wait_for_log(FAILS)
        # then nothing is acknowledged, and those who need no disk go on
        assert other.publish("weather", "sunny").state == "OK"
        assert not late.acknowledged()
        # and when there is room again, everything is
        self.limit_files(broker, UNLIMITED)
        broker.wait_for_log(WORKS)
        late.join(timeout=30)
        assert late.acknowledged()
        broker.restart()
        assert [len(each) for each in received(broker)] == [len("before"), SMALL * 2]

    def test_broker_lives_while_nothing_can_be_written_and_is_not_ready_after_a_while(self, tmp_path: Path) -> None:
        with BrokerProcess(tmp_path / "data", settings={"health.storeGraceSeconds": "1"}) as broker:
            with_accounts(broker)
            joe = connected(broker, ConnectOptions("joe", "secret", callbacks=False))
            self.limit_files(broker, SMALL)
            late = Publisher(joe, "x" * SMALL * 2)
            late.start()

            wait_until(lambda: ask_socket(broker.admin_socket, "/health/ready").status == 503)

            (reason,) = ask_socket(broker.admin_socket, "/health/ready").json["reasons"]
            assert reason["code"] == "store"
            assert ask_socket(broker.admin_socket, "/health/live").status == 200
            assert b"broker_store_failing 1.0" in ask_socket(broker.admin_socket, "/metrics").body
            self.limit_files(broker, UNLIMITED)
            wait_until(lambda: ask_socket(broker.admin_socket, "/health/ready").status == 200)
            late.join(timeout=30)


class TestPostgresql:
    @pytest.fixture
    def url(self) -> Iterator[str]:
        with postgresql() as url:
            yield url

    @pytest.fixture
    def broker(self, tmp_path: Path, url: str) -> Iterator[BrokerProcess]:
        with BrokerProcess(tmp_path / "data", settings={"plugin/socket/port": "0", "db.url": url}) as started:
            yield with_accounts(started)

    def execute(self, url: str, *statements: str) -> None:
        server = make_url(url).set(database="postgres")
        engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def cut(self, url: str) -> str:
        name = make_url(url).database
        return f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    def test_what_was_acknowledged_survives_kill(self, broker: BrokerProcess) -> None:
        jack = connected(broker, RECEIVER)
        jack.subscribe("news", options=SubscribeOptions(persistent=True))
        jack.leave()
        joe = connected(broker, ConnectOptions("joe", "secret", callbacks=False))
        for number in range(50):
            joe.publish("news", str(number), PERSISTENT)
        broker.restart()
        assert received(broker) == [str(number) for number in range(50)]

    def test_connection_that_is_cut_is_made_again(self, broker: BrokerProcess, url: str) -> None:
        joe = connected(broker, ConnectOptions("joe", "secret", callbacks=False))
        joe.publish("news", "before", PERSISTENT)
        self.execute(url, self.cut(url))
        joe.publish("news", "after", PERSISTENT)
        assert [update.text for update in joe.get("news", options=SubscribeOptions(history=5))] == ["after", "before"]

    def test_lost_database_stops_acknowledgements_until_it_is_back(self, broker: BrokerProcess, url: str) -> None:
        # given
        joe = connected(broker, ConnectOptions("joe", "secret", callbacks=False))
        joe.publish("news", "before", PERSISTENT)
        name = make_url(url).database
        # when
        self.execute(url, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false", self.cut(url))
        late = Publisher(joe, "late")
        late.start()
        broker.wait_for_log(FAILS)
        assert not late.acknowledged()
        # then
        self.execute(url, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        broker.wait_for_log(WORKS)
        late.join(timeout=30)
        assert late.acknowledged()
        wait_until(lambda: broker.running)
        broker.restart()
        joe = connected(broker, ConnectOptions("joe", "secret", callbacks=False))
        assert [update.text for update in joe.get("news", options=SubscribeOptions(history=5))] == ["late", "before"]
