"""What all tests share: hypothesis profiles and a data directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Time limits of single examples measure the machine, not the broker; and a gate must give the same answer twice.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty data directory of a broker."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path
