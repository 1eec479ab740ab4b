"""What SOPS writes down in a file beside its values: the keys that open it, the rule, the code over all values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gitopsd_plugins.sops import rules
from gitopsd_plugins.sops.document import SopsError
from gitopsd_plugins.sops.rules import Rule

SORTS = ("kms", "gcp_kms", "hckms", "azure_kv", "hc_vault", "age", "pgp")
"""The names under which master keys stand in a group."""
_NAMED_BY = {
    "kms": "arn",
    "gcp_kms": "resource_id",
    "hckms": "key_id",
    "azure_kv": "name",
    "hc_vault": "key_name",
    "age": "recipient",
    "pgp": "fp",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterKey:
    """One key that opens the data key, or its group's share of it."""

    sort: str
    fields: Mapping[str, str]
    sealed: str
    """The data key or share, sealed under this key."""

    def __str__(self) -> str:
        return f"{self.sort} {self.fields.get(_NAMED_BY[self.sort], '')}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """All of it. `threshold`: so many groups are needed; with one group its key is the data key itself."""

    groups: tuple[tuple[MasterKey, ...], ...]
    threshold: int
    rule: Rule
    only_encrypted: bool
    code: str = field(repr=False)
    modified: str = ""

    @property
    def master_keys(self) -> Iterator[MasterKey]:
        """Of all groups."""
        return (key for group in self.groups for key in group)


def read(found: Mapping[str, Any]) -> Metadata:
    """The metadata of a file. Raises `SopsError` for what SOPS would not take either."""
    groups = tuple(_groups(found))
    if not any(groups):
        raise SopsError("its metadata names no key that it is encrypted for")
    threshold = _number(found.get("shamir_threshold"))
    return Metadata(
        groups=groups,
        threshold=threshold or len(groups),
        rule=rules.rule(found),
        only_encrypted=str(found.get("mac_only_encrypted", "")).lower() == "true",
        code=_text(found.get("mac")),
        modified=_moment(_text(found.get("lastmodified"))),
    )


def _groups(found: Mapping[str, Any]) -> Iterator[tuple[MasterKey, ...]]:
    alone = tuple(_keys(found))
    if alone:
        yield alone
        return
    groups = found.get("key_groups")
    for group in groups if isinstance(groups, Sequence) else ():
        if isinstance(group, Mapping):
            yield tuple(_keys(group))


def _keys(group: Mapping[str, Any]) -> Iterator[MasterKey]:
    for sort in SORTS:
        entries = group.get(sort)
        for entry in entries if isinstance(entries, list | tuple) else ():
            if isinstance(entry, Mapping):
                fields = {name: _text(value) for name, value in entry.items() if name != "enc"}
                context = entry.get("context")
                if isinstance(context, Mapping):
                    fields = {name: value for name, value in fields.items() if name != "context"}
                    fields |= {f"context.{name}": _text(value) for name, value in context.items()}
                yield MasterKey(sort=sort, fields=fields, sealed=_text(entry.get("enc")))


def _text(value: Any) -> str:
    return "" if value is None else str(value).encode("utf-8", "replace").decode()


def _number(value: Any) -> int:
    text = _text(value)
    return int(text) if text.isdecimal() else 0


def _moment(text: str) -> str:
    """As Go prints it: the code is sealed with this text beside it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SopsError("lastmodified in its metadata is no time") from None
    return found.isoformat(timespec="seconds").replace("+00:00", "Z")
