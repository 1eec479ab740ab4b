"""What every test relies on."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, settings

# How long an example takes, and how long making one takes, says how busy the machine is.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")


def pytest_configure() -> None:
    # looptime asks for the current loop before each synchronous test too, which would make one that nobody closes:
    # once a loop was set on purpose, even to none, asking makes no new one.
    asyncio.set_event_loop(None)
