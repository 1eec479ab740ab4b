"""Finds plugins by their entry points, asks each once for its objects, and indexes them. The only caller of hooks.

Built-in plugins are found in the same way as strangers. A plugin that does not import or answer is noted, and fatal only if
some declared object needs what it would have brought. Two plugins that offer the same name are refused, naming both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from gitopsd.model.errors import UsageError
from gitopsd.plugin import hooks
from gitopsd.plugin.decryption import Decryptor, KeyService
from gitopsd.plugin.roles import (
    AnyAddress,
    ClusterAccess,
    HealthRule,
    Kind,
    Renderer,
    Sink,
    Source,
)

GROUP = "gitopsd"


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
    decryptors: Mapping[str, Decryptor] = field(default_factory=dict)
    key_services: Mapping[str, KeyService] = field(default_factory=dict)
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    accesses: Mapping[str, ClusterAccess] = field(default_factory=dict)
    health: Mapping[tuple[str, str], HealthRule] = field(default_factory=dict)
    addresses: Mapping[str, AnyAddress] = field(default_factory=dict)
    """The sources that serve addresses which renders ask for, by the sort of address."""

    def kind_named(self, kind: str) -> Kind | None:
        """The served kind of this name, whatever its group."""
        return next((k for (_, name), k in self.kinds.items() if name == kind), None)

    def offered_by(self, role: str, name: Any) -> str:
        """The plugin that offers this; '?' for none."""
        return next((p.name for p in self.plugins if _shown(name) in p.offers.get(role, ())), "?")

    def failures(self) -> str:
        """Which plugins did not load, for the end of a message about something that nobody offers; '' for none."""
        failed = [f"{p.name} ({p.error})" for p in self.plugins if p.state == "failed"]
        return f"; plugins that failed to load: {', '.join(failed)}" if failed else ""


def load(*, disabled: Collection[str] = (), found: Iterable[EntryPoint] | None = None) -> Registry:
    """Import every plugin of the entry-point group and index what it offers. Raises `UsageError` on a clash."""
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    entries = sorted(found or entry_points(group=GROUP), key=lambda entry: entry.name)
    asked = [_asked(manager, entry, disabled) for entry in entries]
    tables: dict[str, dict[Any, Any]] = {role: _index(role, asked) for role in _ROLES}
    unserved = {pair for offer in asked for pair in offer.unserved}
    addresses = {s.serves: s for s in tables["sources"].values() if isinstance(s, AnyAddress)}
    return Registry(
        plugins=tuple(offer.row for offer in asked),
        unserved=frozenset(unserved - set(tables["kinds"])),
        addresses=addresses,
        **tables,
    )


_ROLES: Mapping[str, Callable[[Any], Any]] = {
    "kinds": lambda kind: (kind.group, kind.kind),
    "sources": lambda source: source.kind,
    "renderers": lambda renderer: renderer.name,
    "decryptors": lambda decryptor: decryptor.name,
    "key_services": lambda service: service.sort,
    "sinks": lambda sink: sink.name,
    "accesses": lambda access: access.name,
    "health": lambda rule: (rule.group, rule.kind),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What one plugin answered: objects by role with the names that they go by, and kinds that it leaves unserved."""

    row: PluginInfo
    items: Mapping[str, Sequence[tuple[Any, Any]]] = field(default_factory=dict)
    unserved: frozenset[tuple[str, str]] = frozenset()


def _asked(manager: pluggy.PluginManager, entry: EntryPoint, disabled: Collection[str]) -> _Offer:
    row = PluginInfo(
        name=entry.name,
        distribution=entry.dist.name if entry.dist else "",
        version=entry.dist.version if entry.dist else "",
        state="loaded",
    )
    if entry.name in disabled:
        return _Offer(row=replace(row, state="disabled"))
    try:
        answers = _answers(manager, entry)
        items = {role: [(_ROLES[role](item), item) for item in answers[role]] for role in _ROLES if role in answers}
        unserved = frozenset(answers.get("unserved", ()))
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything; it must not take the others down
        return _Offer(row=replace(row, state="failed", error=f"{type(error).__name__}: {error}"))
    offers = {role: tuple(_shown(name) for name, _ in found) for role, found in items.items() if found}
    return _Offer(row=replace(row, offers=offers), items=items, unserved=unserved)


def _answers(manager: pluggy.PluginManager, entry: EntryPoint) -> Mapping[str, Sequence[Any]]:
    """What the plugin's hooks return, by the hook's name without its prefix."""
    plugin = entry.load()
    manager.register(plugin, name=entry.name)
    answers: dict[str, Sequence[Any]] = {}
    for caller in manager.get_hookcallers(plugin) or ():
        if not caller.has_spec():
            known = ", ".join(f"gitopsd_{role}" for role in (*_ROLES, "unserved"))
            raise LookupError(f"unknown hook {caller.name}; the hooks are {known}")
        implementation = next(i for i in caller.get_hookimpls() if i.plugin is plugin)
        items: Any = implementation.function()
        answers[caller.name.removeprefix("gitopsd_")] = list(items)
    return answers


def _index(role: str, asked: Iterable[_Offer]) -> dict[Any, Any]:
    table: dict[Any, Any] = {}
    owner: dict[Any, str] = {}
    for offer in asked:
        for name, item in offer.items.get(role, ()):
            if name in table:
                raise UsageError(
                    f"the plugins {owner[name]!r} and {offer.row.name!r} both offer {role} {_shown(name)}; disable one"
                )
            table[name], owner[name] = item, offer.row.name
    return table


def _shown(name: Any) -> str:
    return name if isinstance(name, str) else "/".join(part for part in name if part)
