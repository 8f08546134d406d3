"""Metrics for Prometheus: what a row of their table is, and how it becomes text. What is told is each program's own."""
