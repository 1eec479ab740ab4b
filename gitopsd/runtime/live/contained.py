"""Health rules of plugins, kept from taking anything down: one that fails leaves the health of its objects unknown.

A rule is a stranger's code, asked for each event of a watch and by every gate. What it raises is said of each object with the
plugin's name, and logged with its traceback once for each rule.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gitopsd.model.health import Health, Verdict
from gitopsd.model.manifest import Body
from gitopsd.plugin.registry import Registry
from gitopsd.plugin.roles import HealthRule

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_SHOWN = 200
"""Characters of what was raised that a message shows."""


def rules(registry: Registry, log: FilteringBoundLogger) -> Mapping[tuple[str, str], HealthRule]:
    """The registry's health rules, each in such a shell."""
    return {
        key: _Contained(rule=rule, plugin=registry.offered_by("health", key), log=log)
        for key, rule in registry.health.items()
    }


@dataclass(slots=True, kw_only=True)
class _Contained:
    rule: HealthRule
    plugin: str
    log: FilteringBoundLogger
    group: str = field(init=False)
    kind: str = field(init=False)
    _told: bool = False

    def __post_init__(self) -> None:
        self.group, self.kind = self.rule.group, self.rule.kind

    def assess(self, body: Body) -> Verdict:
        """The rule's verdict, or UNKNOWN with what it met."""
        try:
            verdict = self.rule.assess(body)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything; it is one verdict that is lost
            return self._lost(f"{type(error).__name__}: {error}"[:_SHOWN], "".join(traceback.format_exception(error)))
        if not isinstance(verdict, Verdict):
            return self._lost(f"it answered with {type(verdict).__name__} instead of a Verdict")
        return verdict

    def _lost(self, met: str, trace: str = "") -> Verdict:
        if not self._told:
            self._told = True
            kind = "/".join(part for part in (self.group, self.kind) if part) or "every other kind"
            self.log.error("a health rule failed", plugin=self.plugin, kind=kind, problem=met, trace=trace)
        return Verdict(health=Health.UNKNOWN, message=f"the health rule of the plugin {self.plugin} failed: {met}")
