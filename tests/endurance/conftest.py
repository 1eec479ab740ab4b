"""The fixtures of the tests of endurance."""

from __future__ import annotations

from fakes.planes import control_plane as control_plane  # a fixture, as those below
from fakes.stumbling import faulty as faulty
from fakes.stumbling import running as running
from fakes.stumbling import world as world
