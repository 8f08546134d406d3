"""``/diagnose/bundle``: all that there is to know, for those who help."""

from __future__ import annotations

from http import HTTPStatus

from broker.admin.actions.change import Body, ChangeDesk
from broker.admin.api.bodies import read_body
from broker.admin.api.operations import API, Operation
from broker.admin.bundle.bundle import Bundler
from broker.admin.instance import core_of
from broker.admin.roles import Right
from broker.core.audit_trail import Change
from broker.logs.audit import audit
from broker.net.http.exchange import Answer, Call
from broker.net.http.routes import Cost

ACTION = "diagnose.bundle"
"""As the audit calls it."""
ZIP_TYPE = "application/zip"


class BundleBody(Body, frozen=True, kw_only=True):
    """What a bundle is asked with.

    Args:
        anonymise: names are signs that mean nothing elsewhere.
    """

    anonymise: bool = False


def bundle_operations(bundler: Bundler, desk: ChangeDesk) -> list[Operation]:
    """The operation.

    Args:
        bundler: makes bundles.
        desk: tells who asks, and writes it down.
    """

    async def make(call: Call) -> Answer:
        body = read_body(call, BundleBody) if call.body else BundleBody()
        parameters = f"anonymise={str(body.anonymise).lower()}"
        core = core_of(desk.instance)
        if core is None:  # there is no table yet
            asker = desk.asker(call)
            audit(ACTION, {"principal": asker.principal, "via": asker.via, "parameters": parameters})
        else:
            change = Change(desk.asker(call), ACTION, "", parameters, body.reason)
            async with core.node.trail.change(change, always=True):  # it is wanted most while the store fails
                pass
        name = "attachment; filename=broker-bundle.zip"
        archive = await bundler.make(anonymise=body.anonymise)
        return Answer(archive, ZIP_TYPE, headers=(("Content-Disposition", name),))

    return [
        Operation(
            "makeBundle",
            "POST",
            f"{API}/diagnose/bundle",
            Right.ADMINISTRATOR,
            make,
            "A ZIP archive of findings, overview, metrics, configuration, log, versions, stacks and numbers of rows;"
            " never contents of messages.",
            None,
            cost=Cost.HEAVY,
            any_level=True,
            body=BundleBody,
            status=HTTPStatus.OK,
            media_type=ZIP_TYPE,
        )
    ]
