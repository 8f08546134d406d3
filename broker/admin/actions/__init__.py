"""Changes that administration makes over HTTP (operations §1.2, §6.2).

How to add one:

1. What it does is a method of the core that takes who asks, a session or an :class:`broker.core.asker.Asker`, as those
   of :class:`broker.core.session_control.SessionControl` do; nothing here has an effect behind the core.
2. Its body is a frozen ``msgspec.Struct`` derived from :class:`broker.admin.actions.change.Body`, which has ``reason``
   and refuses what it does not know; what it answers is another Struct.
3. ``change_operation(desk, …)`` makes the :class:`broker.admin.api.operations.Operation` of it: its right, the name of
   the action for the audit, the body, the answer, and the function that does it. That is called with a
   :class:`broker.admin.actions.change.Request` once the change stands in the audit as begun; when it returns, the
   outcome is written down and what it has appended to the store is on disk, and then the answer is sent. What it raises
   (a :class:`broker.errors.BrokerError`, or ``Refused`` with a status of its own) is answered, and the audit says that
   it failed. A peer that goes away does not interrupt it.
4. The function that returns its operations is called in :mod:`broker.admin.api.table`; then
   ``python -m broker.admin.api.table > docs/openapi.json``.

``always=True`` is for what must be possible while the store fails: run level, shutdown, log level. Who reads contents
calls :func:`broker.admin.actions.change.note_reading`.
"""
