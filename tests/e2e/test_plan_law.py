"""The law of plans: whatever two revisions hold, an apply writes exactly what the plan of the second said."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest
from fakes.control_plane import ControlPlane
from fakes.world import World, app_ref, config_map, kustomization
from fakes.worlds import SERVERS, of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitopsd.model.outcome import Phase

FOLDERS = ("one", "two", "child", "elsewhere")
"""The apps `one` and `two` have theirs; the other two are for the child that `one` declares where the revision says so."""

State = tuple[Mapping[str, tuple[str, str]], str]
"""Each object's folder and content, and the folder of the child; '' where it is not declared."""


_STATE = st.tuples(
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.sampled_from(FOLDERS), st.sampled_from("xy")), max_size=6),
    st.sampled_from(["", "child", "elsewhere"]),
)


def files(state: State) -> dict[str, str]:
    objects, child = state
    found = {f"{folder}/.keep": "" for folder in FOLDERS} | {"one/anchor.yaml": config_map("anchor")}
    found |= {f"{folder}/{name}.yaml": config_map(name, key=content) for name, (folder, content) in objects.items()}
    return found | ({"one/child-app.yaml": kustomization("child", path=child)} if child else {})


@pytest.fixture(params=SERVERS, scope="module")
def plane(request: pytest.FixtureRequest) -> ControlPlane | None:
    """A real control plane; None for a sandbox."""
    return None if request.param == "sandbox" else request.getfixturevalue("control_plane")


@settings(max_examples=3, deadline=None)
@given(before=_STATE, after=_STATE)
@example(before=({"a": ("one", "y"), "f": ("two", "x"), "c": ("one", "x")}, "child"), after=({}, "child"))
def test_an_apply_writes_what_the_plan_said(plane: ControlPlane | None, before: State, after: State) -> None:
    anyio.run(_checked, plane, before, after)


async def _checked(plane: ControlPlane | None, before: State, after: State) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with of(plane, Path(folder)) as world:
            world.settings = "  safety: {massDeletion: false, emptyRender: false}\n"
            world.declare(kustomization("one"), kustomization("two"))
            world.repository.commit(files(before))
            await world.once()
            world.repository.files.clear()
            head = world.repository.commit(files(after), branch="next")
            planned = await world.plan(revisions=["next"])
            assert all(report.view.ready for report in planned.apps), [r.view.message for r in planned.apps]
            world.running.journal.clear()
            world.repository.branch("main", head)
            outcomes = await world.once()
            assert {o.phase for o in outcomes.values()} == {Phase.READY}, [o.message for o in outcomes.values()]
            assert app_ref("one") in outcomes
            assert _written(world) == {
                ("DELETE" if change.action == "delete" else "PATCH", change.name)
                for report in planned.apps
                for change in report.changes
                if change.writes and not change.declared
            }


def _written(world: World) -> set[tuple[str, str]]:
    return {
        (request.method, request.path.rpartition("/")[2])
        for request in world.asked()
        if request.path.startswith("/api/v1/namespaces/default/configmaps/")
        and request.method != "GET"
        and request.query.get("dryRun") != "All"
    }
