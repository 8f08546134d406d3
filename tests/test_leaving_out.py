"""What a run says about the tests that it left out, and when that makes it fail."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]  # each run is a process, and its workers are too

OUTER = """
from tests.conftest import pytest_addoption, pytest_sessionfinish, pytest_terminal_summary
"""
INNER = """
import pytest

def test_that_runs():
    pass

def test_with_a_database():
    pytest.skip("needs a server")
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(OUTER)
    pytester.makepyfile(INNER)
    return pytester


@pytest.mark.parametrize("jobs", ["0", "1"])
def test_tests_that_are_left_out_are_named_with_their_reason(suite: pytest.Pytester, jobs: str) -> None:
    done = suite.runpytest_subprocess("-n", jobs)

    done.stdout.fnmatch_lines(["*1 left out: needs a server*", "*::test_with_a_database"])
    assert done.ret == pytest.ExitCode.OK


@pytest.mark.parametrize("jobs", ["0", "1"])
def test_run_that_may_skip_nothing_fails_where_a_test_is_left_out(suite: pytest.Pytester, jobs: str) -> None:
    assert suite.runpytest_subprocess("-n", jobs, "--no-skips").ret == pytest.ExitCode.TESTS_FAILED
    assert suite.runpytest_subprocess("-n", jobs, "--no-skips", "-k", "runs").ret == pytest.ExitCode.OK
