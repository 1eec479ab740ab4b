"""Finds plugins by their entry points, asks each once for its objects, and indexes them. The only caller of hooks.

Built-in plugins are found in the same way as strangers. A plugin that does not import is noted, and fatal only if some
declared object needs what it would have brought. Two plugins that offer the same name are refused, naming both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import pluggy

from gitopsd.model.errors import UsageError
from gitopsd.plugin import hooks
from gitopsd.plugin.roles import ClusterAccess, HealthRule, Kind, Renderer, Sink, Source

GROUP = "gitopsd"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """One row of `gitopsd plugins`. `state` is 'loaded', 'disabled' or 'failed'; `offers` by role."""

    name: str
    distribution: str
    version: str
    state: str
    error: str = ""
    offers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Every object that plugins registered, by the name under which the core asks for it."""

    plugins: tuple[PluginInfo, ...] = ()
    kinds: Mapping[tuple[str, str], Kind] = field(default_factory=dict)
    unserved: frozenset[tuple[str, str]] = frozenset()
    sources: Mapping[str, Source] = field(default_factory=dict)
    renderers: Mapping[str, Renderer] = field(default_factory=dict)
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    accesses: Mapping[str, ClusterAccess] = field(default_factory=dict)
    health: Mapping[tuple[str, str], HealthRule] = field(default_factory=dict)

    def kind_named(self, kind: str) -> Kind | None:
        """The served kind of this name, whatever its group."""
        return next((k for (_, name), k in self.kinds.items() if name == kind), None)

    def failures(self) -> str:
        """Which plugins did not load, for the end of a message about something that nobody offers; '' for none."""
        failed = [f"{p.name} ({p.error})" for p in self.plugins if p.state == "failed"]
        return f"; plugins that failed to load: {', '.join(failed)}" if failed else ""


def load(*, disabled: Collection[str] = (), found: Iterable[EntryPoint] | None = None) -> Registry:
    """Import every plugin of the entry-point group and index what it offers. Raises `UsageError` on a clash."""
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    rows = [_register(manager, e, disabled) for e in sorted(found or entry_points(group=GROUP), key=lambda e: e.name)]
    manager.check_pending()
    tables: dict[str, dict[Any, Any]] = {}
    offers: dict[str, dict[str, tuple[str, ...]]] = {}
    for role, key in _ROLES.items():
        tables[role] = _index(manager, role, key, offers)
    unserved = {pair for pairs in manager.hook.gitopsd_unserved() for pair in pairs}
    return Registry(
        plugins=tuple(_with_offers(row, offers.get(row.name, {})) for row in rows),
        unserved=frozenset(unserved - set(tables["kinds"])),
        **tables,
    )


_ROLES: Mapping[str, Callable[[Any], Any]] = {
    "kinds": lambda kind: (kind.group, kind.kind),
    "sources": lambda source: source.kind,
    "renderers": lambda renderer: renderer.name,
    "sinks": lambda sink: sink.name,
    "accesses": lambda access: access.name,
    "health": lambda rule: (rule.group, rule.kind),
}


def _register(manager: pluggy.PluginManager, entry: EntryPoint, disabled: Collection[str]) -> PluginInfo:
    distribution = entry.dist.name if entry.dist else ""
    version = entry.dist.version if entry.dist else ""

    def row(state: str, error: str = "") -> PluginInfo:
        return PluginInfo(name=entry.name, distribution=distribution, version=version, state=state, error=error)

    if entry.name in disabled:
        return row("disabled")
    try:
        manager.register(entry.load(), name=entry.name)
    except Exception as error:  # noqa: BLE001 - a stranger's import may raise anything; it must not take the others down
        return row("failed", f"{type(error).__name__}: {error}")
    return row("loaded")


def _index(
    manager: pluggy.PluginManager, role: str, key: Callable[[Any], Any], offers: dict[str, dict[str, tuple[str, ...]]]
) -> dict[Any, Any]:
    table: dict[Any, Any] = {}
    owner: dict[Any, str] = {}
    for implementation in getattr(manager.hook, f"gitopsd_{role}").get_hookimpls():
        plugin = implementation.plugin_name
        for item in implementation.function():
            name = key(item)
            if name in table:
                raise UsageError(
                    f"the plugins {owner[name]!r} and {plugin!r} both offer {role} {_shown(name)}; disable one"
                )
            table[name], owner[name] = item, plugin
            of_plugin = offers.setdefault(plugin, {})
            of_plugin[role] = (*of_plugin.get(role, ()), _shown(name))
    return table


def _with_offers(row: PluginInfo, offers: Mapping[str, tuple[str, ...]]) -> PluginInfo:
    return PluginInfo(
        name=row.name,
        distribution=row.distribution,
        version=row.version,
        state=row.state,
        error=row.error,
        offers=offers,
    )


def _shown(name: Any) -> str:
    return name if isinstance(name, str) else "/".join(part for part in name if part)
