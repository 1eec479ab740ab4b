"""The fixture of a real control plane, for the conftest of each folder whose tests are tried on one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fakes.control_plane import ControlPlane, assets, missing


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Started once; skips with the reason where its binaries are missing."""
    if reason := missing(assets()):
        pytest.skip(reason)
    with ControlPlane(tmp_path_factory.mktemp("control-plane"), reads=True) as plane:
        yield plane
