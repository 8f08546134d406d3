"""The store on SQLite or PostgreSQL: the only package with threads and the only one that knows SQL."""
