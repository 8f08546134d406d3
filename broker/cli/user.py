"""``broker user``: accounts, on the store itself, whether a broker runs on it or not."""

from __future__ import annotations

import argparse
import os
import pwd
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from broker.cli.options import add_store_options, assignments_of
from broker.cli.standard_input import ask_password, read_password
from broker.cli.terminal import advise, complain, say
from broker.errors import BrokerError, Code

if TYPE_CHECKING:
    from broker.cli.options import Subcommands
    from broker.config.properties import Properties
    from broker.model.records import AccountRecord
    from broker.store.sql.accounts import AccountTable

NO_ROLE = "none"
ROLES = ("administrator", "operator", "monitoring", NO_ROLE)

EXAMPLES = """\
examples:
  broker user add joe                               asks for the password, twice and without echo
  openssl rand -hex 16 | broker user add joe --password-stdin
  broker --data /var/lib/broker user passwd joe
  broker user role joe monitoring                   administrator, operator, monitoring or none
  broker user remove joe
  broker user list

Changes count at once, also in a broker that runs, and its audit has a line for each. A new password
closes the connections of the account, whose clients must log in anew. What an account has (sessions, messages that
wait, contacts, nodes) is deleted when it is removed.
"""


def register(subcommands: Subcommands) -> None:
    """Add ``user`` and what can be done with users."""
    parser = subcommands.add_parser(
        "user",
        help="make, list, change and remove accounts",
        description="Make, list, change and remove the accounts of a data directory.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store_options(parser, subcommand=True)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, run, text in (("add", add, "make an account"), ("passwd", passwd, "change a password")):
        action = actions.add_parser(name, help=text, description=f"{text.capitalize()}.")
        action.add_argument("name", metavar="NAME")
        action.add_argument(
            "--password-stdin", action="store_true", help="read the password from the first line of standard input"
        )
        action.set_defaults(run=run)
    action = actions.add_parser(
        "role", help="give a role in administration", description="Give an account a role in administration."
    )
    action.add_argument("name", metavar="NAME")
    action.add_argument("role", metavar="ROLE", choices=ROLES, help=", ".join(ROLES))
    action.set_defaults(run=role)
    action = actions.add_parser("remove", help="remove an account", description="Remove an account.")
    action.add_argument("name", metavar="NAME")
    action.set_defaults(run=remove)
    action = actions.add_parser("list", help="list the accounts", description="List the accounts, one name a line.")
    action.set_defaults(run=list_names)


def add(options: argparse.Namespace) -> int:
    """Make an account that does not exist yet."""
    from broker.auth.names import check_account_name
    from broker.auth.passwords import account_with_password

    name = check_account_name(options.name)
    with _accounts(options) as accounts:
        if accounts.get(name) is not None:
            raise BrokerError(
                Code.USER_ILLEGAL_ARGUMENT, f"There is an account {name} already; see: broker user passwd"
            )
        accounts.put(
            account_with_password(_properties(options), name, _read_password(options), time.time_ns() // 1_000_000)
        )
    if name != name.lower():
        advise(f"note: XMPP has no capitals in names, so {name} can log in with native clients only")
    return 0


def passwd(options: argparse.Namespace) -> int:
    """Give an account another password."""
    from broker.auth.names import check_account_name
    from broker.auth.passwords import account_with_password

    name = check_account_name(options.name)
    with _accounts(options, make=False) as accounts:
        record = accounts.get(name)
        if record is None:
            raise _no_account(name)
        made = account_with_password(_properties(options), name, _read_password(options), record.created)
        accounts.put(made._replace(role=record.role, changed=time.time_ns() // 1_000_000))
    return 0


def role(options: argparse.Namespace) -> int:
    """Give an account another role in administration."""
    from broker.auth.names import check_account_name

    name = check_account_name(options.name)
    with _accounts(options, make=False) as accounts:
        if not accounts.set_role(name, "" if options.role == NO_ROLE else options.role):
            raise _no_account(name)
    return 0


def remove(options: argparse.Namespace) -> int:
    """Remove an account."""
    from broker.auth.names import check_account_name

    name = check_account_name(options.name)
    with _accounts(options, make=False) as accounts:
        if not accounts.delete(name):
            raise _no_account(name)
    return 0


def list_names(options: argparse.Namespace) -> int:
    """Print the names of all accounts; those that cannot be read are named on standard error."""
    with _accounts(options, make=False) as accounts:
        found, unreadable = accounts.list()
        for record in found:
            say(record.name)
        for row in unreadable:
            complain(f"the {row}", "broker user")
    return 1 if unreadable else 0


def records(options: argparse.Namespace) -> Sequence[AccountRecord]:
    """All accounts that can be read."""
    with _accounts(options, make=False) as accounts:
        return accounts.list()[0]


def _accounts(options: argparse.Namespace, *, make: bool = True) -> AccountTable:
    from broker.store.location import SQLITE, database_url
    from broker.store.sql.accounts import AccountTable

    url = database_url(_properties(options), options.data)
    if not make and url.startswith(SQLITE):
        file = url.removeprefix(SQLITE).partition("?")[0]
        if not Path(file).exists():
            reason = f"There is no database {file}; give its directory: broker --data DIR user ..."
            raise BrokerError(Code.RESOURCE_CONFIGURATION, reason)
    return AccountTable(url, who_am_i())


def _properties(options: argparse.Namespace) -> Properties:
    """As a broker on this data directory has them, also those that were changed while it ran."""
    from broker.config.command_line import read_properties
    from broker.config.runtime import RuntimeFile

    properties = read_properties(options.config, assignments_of(options))
    RuntimeFile(Path(options.data)).load(properties)
    return properties


def _read_password(options: argparse.Namespace) -> str:
    if options.password_stdin:
        return read_password()
    password = ask_password(f"Password of {options.name}: ")
    again = ask_password("The same again: ")
    if password != again:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "The two passwords differ")
    return password


def who_am_i() -> str:
    """The user of the operating system, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _no_account(name: str) -> BrokerError:
    return BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"There is no account {name}")
