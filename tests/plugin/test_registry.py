"""Plugins are found by their entry points, asked once, and named when something is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from gitopsd.model.errors import UsageError
from gitopsd.plugin import hookimpl, registry


class Thing:
    """Stands for a source or a renderer."""

    def __init__(self, name: str) -> None:
        self.kind = self.name = name


@pytest.fixture
def module() -> Iterator[object]:
    """Makes importable modules with these sources, and takes them away."""
    made: list[str] = []

    def make(name: str, *sources: str, unserved: tuple[tuple[str, str], ...] = ()) -> EntryPoint:
        plugin = ModuleType(f"registry_test_{name}")
        setattr(plugin, "gitopsd_sources", hookimpl(lambda: [Thing(s) for s in sources]))  # noqa: B010 - a hook by its name
        setattr(plugin, "gitopsd_unserved", hookimpl(lambda: unserved))  # noqa: B010 - as above
        sys.modules[plugin.__name__] = plugin
        made.append(plugin.__name__)
        return EntryPoint(name=name, value=plugin.__name__, group="gitopsd")

    yield make
    for name in made:
        sys.modules.pop(name, None)


def test_what_plugins_offer_is_indexed_under_its_name_and_listed_by_plugin(module) -> None:  # type: ignore[no-untyped-def]
    found = registry.load(found=[module("two", "B", "C"), module("one", "A")])
    assert sorted(found.sources) == ["A", "B", "C"]
    assert [(p.name, p.state, p.offers) for p in found.plugins] == [
        ("one", "loaded", {"sources": ("A",)}),
        ("two", "loaded", {"sources": ("B", "C")}),
    ]


def test_two_plugins_that_offer_the_same_are_refused_by_name(module) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=r"the plugins 'one' and 'two' both offer sources A; disable one"):
        registry.load(found=[module("one", "A"), module("two", "A")])


def test_a_disabled_plugin_is_not_even_imported() -> None:
    found = registry.load(found=[EntryPoint(name="x", value="no_such_module", group="gitopsd")], disabled=["x"])
    assert [(p.name, p.state) for p in found.plugins] == [("x", "disabled")]


def test_a_plugin_that_does_not_import_takes_no_other_down_and_is_named(module) -> None:  # type: ignore[no-untyped-def]
    broken = EntryPoint(name="broken", value="no_such_module", group="gitopsd")
    found = registry.load(found=[broken, module("one", "A")])
    assert list(found.sources) == ["A"]
    assert "broken (ModuleNotFoundError: No module named 'no_such_module')" in found.failures()
    assert registry.load(found=[module("one", "A")]).failures() == ""


def test_a_hook_that_nobody_knows_is_a_mistake_of_its_plugin(module) -> None:  # type: ignore[no-untyped-def]
    entry = module("one", "A")
    plugin = sys.modules[entry.value]
    setattr(plugin, "gitopsd_sourcez", hookimpl(lambda: [Thing("x")]))  # noqa: B010 - a hook by its name
    found = registry.load(found=[entry, module("two", "B")])
    assert {p.name: p.state for p in found.plugins} == {"one": "failed", "two": "loaded"}
    assert "gitopsd_sourcez" in found.plugins[0].error
    assert list(found.sources) == ["B"]


def test_a_hook_that_fails_is_a_mistake_of_its_plugin(module) -> None:  # type: ignore[no-untyped-def]
    entry = module("one")

    def fails() -> list[object]:
        raise RuntimeError("broken at once")

    setattr(sys.modules[entry.value], "gitopsd_sources", hookimpl(fails))  # noqa: B010 - a hook by its name
    found = registry.load(found=[entry, module("two", "B")])
    assert found.plugins[0].state == "failed"
    assert "broken at once" in found.plugins[0].error
    assert list(found.sources) == ["B"]


def test_a_kind_that_some_plugin_leaves_is_unserved_and_every_built_in_loads() -> None:
    found = registry.load()
    assert {p.name: p.error for p in found.plugins if p.state != "loaded"} == {}
    assert ("helm.toolkit.fluxcd.io", "HelmRelease") in found.unserved
    assert ("source.toolkit.fluxcd.io", "GitRepository") not in found.unserved
    kind = found.kind_named("Kustomization")
    assert kind is not None
    assert "ks" in kind.aliases
