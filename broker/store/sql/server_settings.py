"""How a server of PostgreSQL is set, as far as what is acknowledged depends on it."""

from __future__ import annotations

from sqlalchemy import text

from broker.store.sql.database import engine_of
from broker.store.sql.failures import translate

NAMES = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "max_connections")


def server_settings(url: str) -> dict[str, str]:
    """Settings of the server, by their names.

    Args:
        url: of a database in it.

    Raises:
        BrokerError: ``resource.db.*`` where it does not answer.
    """
    engine = engine_of(url)
    try:
        with engine.connect() as connection:
            return {name: str(connection.execute(text(f"SHOW {name}")).scalar()) for name in NAMES}
    except Exception as error:
        raise translate(error) from error
    finally:
        engine.dispose()
