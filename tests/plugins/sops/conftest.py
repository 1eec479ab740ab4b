"""Files that the real sops encrypted, and the keys for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitopsd.plugin import Keys

DATA = Path(__file__).parents[2] / "data" / "sops"


@pytest.fixture
def sealed() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((DATA / "sealed").iterdir())}


@pytest.fixture
def keys() -> tuple[Keys, ...]:
    values = {file.name: file.read_bytes() for file in sorted((DATA / "keys").iterdir())}
    return (Keys(place="Secret/apps/sops-keys", values=values),)
