"""Bundles for those who help."""
