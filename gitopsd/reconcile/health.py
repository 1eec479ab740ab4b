"""PURE. Which rule says how an object is doing, and what many verdicts come to."""

from __future__ import annotations

from collections.abc import Mapping

from gitopsd.model.change import Live
from gitopsd.model.health import Health, Verdict
from gitopsd.model.identity import ResourceId
from gitopsd.model.manifest import Manifest
from gitopsd.plugin.roles import HealthRule

ANY = ("", "")
"""The key of the rule for every kind that has none of its own."""
SHOWN = 5
"""Objects that a message names."""


def assess(rules: Mapping[tuple[str, str], HealthRule], live: Live | None) -> Verdict:
    """An object's verdict; one that is not there is NOT_FOUND."""
    if live is None:
        return Verdict(health=Health.NOT_FOUND, message="it does not exist")
    rule = rules.get((live.id.group, live.id.kind)) or rules.get(ANY)
    return rule.assess(live.body) if rule else Verdict(health=Health.UNKNOWN, message="no health rule is loaded")


def ends(manifest: Manifest) -> bool:
    """True for a Job with a time to live: the cluster removes it when it is done."""
    spec = manifest.body.get("spec")
    job = (manifest.id.group, manifest.id.kind) == ("batch", "Job")
    return job and isinstance(spec, Mapping) and spec.get("ttlSecondsAfterFinished") is not None


def failed(verdicts: Mapping[ResourceId, Verdict]) -> tuple[ResourceId, ...]:
    """Those that will not become healthy by waiting."""
    return tuple(sorted(id for id, v in verdicts.items() if v.health is Health.FAILED))


def pending(verdicts: Mapping[ResourceId, Verdict]) -> tuple[ResourceId, ...]:
    """Those that are not healthy (yet)."""
    return tuple(sorted(id for id, v in verdicts.items() if v.health is not Health.CURRENT))


def listed(ids: tuple[ResourceId, ...], verdicts: Mapping[ResourceId, Verdict]) -> str:
    """Objects and their state for a message, the first few in full."""
    shown = [f"{id} status: '{verdicts[id].health}'" + _why(verdicts[id]) for id in ids[:SHOWN]]
    more = f", and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"[{', '.join(shown)}{more}]"


def _why(verdict: Verdict) -> str:
    return f" ({verdict.message})" if verdict.message else ""
