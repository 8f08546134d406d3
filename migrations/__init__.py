"""Revisions of the database's schema, applied when the broker starts (see broker.store.sql.upgrade)."""
