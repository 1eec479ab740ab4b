"""An app's inventory as the contents of ConfigMaps, and back. Pure.

The head names format, app and digest in the clear and carries the record itself, compressed; a large record is split into parts
of their own, which the head lists by the digest of each. Parts are named by their digest and never rewritten: whoever dies
between writing parts and head leaves the old record whole. Anything damaged is an error, never an empty inventory.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from gitopsd.plugin import (
    Approval,
    Decision,
    Inventory,
    Misconfigured,
    ObjectRef,
    Owned,
    Rejected,
    ResourceId,
    Suspension,
)

FORMAT = 1
_PART = 600 * 1024
"""Bytes of compressed content in one ConfigMap, whose base64 must stay below the server's limit of 1 MiB."""
MAX_RECORD = 256 * 1024 * 1024
_MAX_PARTS = 200
_NAME = 200
"""Longest name of a head; a part's name is longer by its number and digest, and 253 is the server's limit."""


class _Suspended(msgspec.Struct, omit_defaults=True):
    actor: str
    since: datetime
    reason: str = ""
    until: datetime | None = None


class _Approved(msgspec.Struct, omit_defaults=True):
    plan: str
    actor: str
    at: datetime
    reason: str = ""
    until: datetime | None = None


class _Decided(msgspec.Struct, omit_defaults=True):
    verb: str
    actor: str
    at: datetime
    reason: str = ""
    until: datetime | None = None
    plan: str = ""


class _Record(msgspec.Struct, omit_defaults=True):
    app: tuple[str, str, str]
    cluster: str
    owned: list[tuple[str, str, str, str, str, bool]] = []
    suspended: _Suspended | None = None
    approvals: list[_Approved] = []
    removal: _Decided | None = None
    decisions: list[_Decided] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """ConfigMap contents by name: the head's `data` and `binary`, and the parts' single binary values."""

    name: str
    data: Mapping[str, str]
    binary: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)


def name(instance: str, app: ObjectRef) -> str:
    """The name of an app's record, readable while it fits."""
    plain = f"inventory.{instance}.{app.kind.lower()}.{app.namespace}.{app.name}"
    if len(plain) <= _NAME:
        return plain
    return f"inventory.{hashlib.sha256(plain.encode()).hexdigest()[:40]}"


def encode(inventory: Inventory, instance: str) -> Encoded:
    """The record as it is stored; equal inventories give equal contents."""
    content = zlib.compress(msgspec.json.encode(_record(inventory)), 6)
    head = name(instance, inventory.app)
    data = {"format": str(FORMAT), "app": str(inventory.app), "digest": _digest(content)}
    if len(content) <= _PART:
        return Encoded(name=head, data=data, binary={"record": _text(content)})
    pieces = [content[start : start + _PART] for start in range(0, len(content), _PART)]
    digests = [_digest(piece) for piece in pieces]
    names = _part_names(head, digests)
    parts = {part: _text(piece) for part, piece in zip(names, pieces, strict=True)}
    return Encoded(name=head, data={**data, "parts": " ".join(digests)}, parts=parts)


def part_names(head: str, data: Mapping[str, str]) -> Sequence[str]:
    """The names of the parts that a head lists; empty for a record in one piece."""
    digests = data.get("parts", "").split()
    if len(digests) > _MAX_PARTS:
        raise _damaged(head, f"it lists {len(digests)} parts")
    return _part_names(head, digests)


def decode(stored: Encoded, *, token: str = "", most: int = MAX_RECORD) -> Inventory:
    """The inventory. Raises `Misconfigured` for a newer format and `Rejected` for a damaged record.

    `most`: bytes that the record may unpack to.
    """
    written = stored.data.get("format", "")
    if written.isdigit() and int(written[:9]) > FORMAT:
        raise Misconfigured(
            f"ConfigMap {stored.name}: the inventory was written in format {written} by a newer gitopsd; "
            f"this one reads format {FORMAT}: upgrade it, nothing is pruned until then",
            reason="InventoryTooNew",
        )
    if written != str(FORMAT):
        raise _damaged(stored.name, f"its format is {written!r}")
    content = _content(stored)
    if _digest(content) != stored.data.get("digest"):
        raise _damaged(stored.name, "its digest does not match")
    inventory = _inventory(_decoded(stored.name, content, most), token)
    if str(inventory.app) != stored.data.get("app"):
        raise _damaged(stored.name, f"it is the record of {inventory.app}")
    return inventory


def _content(stored: Encoded) -> bytes:
    names = part_names(stored.name, stored.data)
    if not names:
        return _bytes(stored.name, stored.binary.get("record"))
    missing = [part for part in names if part not in stored.parts]
    if missing:
        raise _damaged(stored.name, f"its part {missing[0]} is missing")
    return b"".join(_bytes(part, stored.parts[part]) for part in names)


def _decoded(head: str, content: bytes, most: int) -> _Record:
    unzip = zlib.decompressobj()
    try:
        plain = unzip.decompress(content, most)
    except zlib.error as error:
        raise _damaged(head, f"it cannot be decompressed: {error}") from error
    if not unzip.eof:
        raise _damaged(head, "its compressed content is cut off or too large")
    try:
        return msgspec.json.decode(plain, type=_Record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(head, str(error)) from error


def _record(inventory: Inventory) -> _Record:
    app, suspension = inventory.app, inventory.suspension
    owned = sorted(inventory.owned.values(), key=lambda owned: owned.id)
    return _Record(
        app=(app.kind, app.namespace, app.name),
        cluster=inventory.cluster_uid,
        owned=[(o.id.group, o.id.kind, o.id.namespace, o.id.name, o.version, o.intended) for o in owned],
        suspended=None
        if suspension is None
        else _Suspended(suspension.actor, suspension.since, suspension.reason, suspension.until),
        approvals=[_Approved(a.plan, a.actor, a.at, a.reason, a.until) for a in inventory.approvals],
        removal=_decided(inventory.removal) if inventory.removal else None,
        decisions=[_decided(decision) for decision in inventory.decisions],
    )


def _decided(it: Decision) -> _Decided:
    return _Decided(it.verb, it.actor, it.at, it.reason, it.until, it.plan)


def _decision(it: _Decided) -> Decision:
    return Decision(verb=it.verb, actor=it.actor, at=it.at, reason=it.reason, until=it.until, plan=it.plan)


def _inventory(record: _Record, token: str) -> Inventory:
    owned = {}
    for group, kind, namespace, named, version, intended in record.owned:
        it = ResourceId(group=group, kind=kind, namespace=namespace, name=named)
        owned[it] = Owned(id=it, version=version, intended=intended)
    kind, namespace, named = record.app
    s = record.suspended
    return Inventory(
        app=ObjectRef(kind=kind, namespace=namespace, name=named),
        cluster_uid=record.cluster,
        owned=owned,
        suspension=None if s is None else Suspension(actor=s.actor, since=s.since, reason=s.reason, until=s.until),
        approvals=tuple(
            Approval(plan=a.plan, actor=a.actor, at=a.at, reason=a.reason, until=a.until) for a in record.approvals
        ),
        removal=_decision(record.removal) if record.removal else None,
        decisions=tuple(map(_decision, record.decisions)),
        token=token,
    )


def _part_names(head: str, digests: Sequence[str]) -> Sequence[str]:
    return [f"{head}.{number}.{digest.removeprefix('sha256:')[:16]}" for number, digest in enumerate(digests)]


def _bytes(where: str, text: str | None) -> bytes:
    if text is None:
        raise _damaged(where, "it holds no record")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _damaged(where, f"it is not base64: {error}") from error


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _damaged(where: str, why: str) -> Rejected:
    return Rejected(
        f"ConfigMap {where}: the inventory is damaged: {why}; restore it from a backup, or delete it to start as new "
        "(its objects are then kept, and found again by their labels when they are applied)",
        reason="InventoryDamaged",
    )
