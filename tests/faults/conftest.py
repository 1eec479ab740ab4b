"""The fixtures of the tests of faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.planes import control_plane as control_plane  # a fixture, as those below
from fakes.stumbling import faulty as faulty
from fakes.stumbling import running as running
from fakes.stumbling import world as world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of these starts worker processes and waits for retries."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
