"""Metrics for Prometheus: a table of what is told, how it is read, and what it means."""
