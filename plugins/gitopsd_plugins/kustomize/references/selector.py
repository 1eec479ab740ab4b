"""Which resources a patch or replacement is for: anchored regular expressions, labels and annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gitopsd.plugin import Rejected
from gitopsd_plugins.kustomize.files.kustomization import Target
from gitopsd_plugins.kustomize.objects.identity import Gvk
from gitopsd_plugins.kustomize.objects.resource import Resource

MAX_PATTERN = 2_000
_TERM = re.compile(
    r"\s*(?:(?P<set>[^\s,!=<>()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)"
    r"|(?P<key>[^\s,!=<>()]+)\s*(?P<cmp>==|=|!=|<|>)\s*(?P<value>[^\s,!=<>()]*)"
    r"|!\s*(?P<absent>[^\s,!=<>()]+)"
    r"|(?P<present>[^\s,!=<>()]+))\s*(?:,|$)"
)


@dataclass(frozen=True, slots=True)
class Selector:
    """A compiled target. Empty parts match everything."""

    group: re.Pattern[str] | None
    version: re.Pattern[str] | None
    kind: re.Pattern[str] | None
    name: re.Pattern[str] | None
    namespace: re.Pattern[str] | None
    labels: tuple[re.Match[str], ...] = field(repr=False)
    annotations: tuple[re.Match[str], ...] = field(repr=False)

    @classmethod
    def of(cls, target: Target) -> Selector:
        """Compile a target. Raises `Rejected` naming the pattern that is no regular expression."""
        return cls(
            group=_anchored(target.group),
            version=_anchored(target.version),
            kind=_anchored(target.kind),
            name=_anchored(target.name),
            namespace=_anchored(target.namespace),
            labels=terms(target.label_selector),
            annotations=terms(target.annotation_selector),
        )

    def matches_gvk(self, gvk: Gvk) -> bool:
        """True when group, version and kind fit."""
        return _fits(self.group, gvk.group) and _fits(self.version, gvk.version) and _fits(self.kind, gvk.kind)

    def names(self, gvk: Gvk, name: str, namespace: str) -> bool:
        """True when this identity fits."""
        return self.matches_gvk(gvk) and _fits(self.name, name) and _fits(self.namespace, namespace)

    def matches(self, resource: Resource) -> bool:
        """True when the resource fits, by its first or its present name and namespace."""
        if not self.matches_gvk(resource.gvk):
            return False
        now, first = resource.id, resource.original
        if not (_fits(self.namespace, first.namespace) or _fits(self.namespace, now.namespace)):
            return False
        if not (_fits(self.name, first.name) or _fits(self.name, now.name)):
            return False
        return meets(self.labels, resource.labels()) and meets(self.annotations, resource.labels("annotations"))

    def among(self, resources: Iterable[Resource]) -> list[Resource]:
        """Those that match."""
        return [r for r in resources if self.matches(r)]


def terms(selector: str) -> tuple[re.Match[str], ...]:
    """Read a label selector such as `app=web,tier in (a,b),!legacy`. Raises `Rejected` where it is none."""
    found: list[re.Match[str]] = []
    at = 0
    while at < len(selector.rstrip()):
        term = _TERM.match(selector, at)
        if term is None or term.end() == at:
            raise Rejected(f"unable to parse the selector {selector!r}")
        found.append(term)
        at = term.end()
    return tuple(found)


def meets(selector: tuple[re.Match[str], ...], labels: Mapping[str, str]) -> bool:
    """True when the labels meet every term."""
    return all(_meets(term, labels) for term in selector)


def _meets(term: re.Match[str], labels: Mapping[str, str]) -> bool:
    if key := term["set"]:
        values = {v.strip() for v in term["values"].split(",")}
        return (labels.get(key) in values) if term["op"] == "in" else (labels.get(key) not in values)
    if key := term["key"]:
        return _compares(term["cmp"], labels.get(key), term["value"])
    if key := term["absent"]:
        return key not in labels
    return term["present"] in labels


def _compares(operator: str, found: str | None, wanted: str) -> bool:
    if operator in {"=", "=="}:
        return found == wanted
    if operator == "!=":
        return found != wanted
    try:
        return found is not None and (int(found) > int(wanted) if operator == ">" else int(found) < int(wanted))
    except ValueError:
        return False


def _anchored(pattern: str) -> re.Pattern[str] | None:
    if not pattern:
        return None
    if len(pattern) > MAX_PATTERN:
        raise Rejected(f"a target's pattern has {len(pattern)} characters, more than {MAX_PATTERN}")
    try:
        return re.compile(f"(?:{pattern})")
    except re.error as error:
        raise Rejected(f"target: {pattern!r} is not a regular expression: {error}") from error


def _fits(pattern: re.Pattern[str] | None, value: str) -> bool:
    return pattern is None or pattern.fullmatch(value) is not None
