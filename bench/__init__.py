"""Measures the broker as an installed process, driven from other processes, beside what a user would pick instead."""
