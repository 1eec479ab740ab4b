"""The DeleteOptions of a request: from its body, else from its address; what is no such thing is refused.

They are read before it is looked whether there is anything to delete.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gitopsd_plugins.sandbox.facts.decoding import json_type
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import manifest, status
from gitopsd_plugins.sandbox.requests.call import Call, flag, whole
from gitopsd_plugins.sandbox.requests.manifest import YamlError
from gitopsd_plugins.sandbox.storage.store import encode

POLICIES = ("Foreground", "Background", "Orphan")
_FIELDS: tuple[tuple[str, type, str], ...] = (
    ("gracePeriodSeconds", int, "int64"),
    ("preconditions", dict, "v1.Preconditions"),
    ("propagationPolicy", str, "v1.DeletionPropagation"),
    ("orphanDependents", bool, "bool"),
    ("dryRun", list, "[]string"),
)
_PRECONDITIONS: tuple[tuple[str, type, str], ...] = (("uid", str, "types.UID"), ("resourceVersion", str, "string"))
_LARGEST = 2**63


def of(call: Call) -> Json:
    """What is asked for, without nulls. Raises `Refused`."""
    found = _stated(call) if call.body else _addressed(call)
    if causes := [*_dry_run(found), *_policy(found)]:
        raise status.invalid("meta.k8s.io", "DeleteOptions", "", causes)
    return found


def is_dry(asked: Json) -> bool:
    """Whether nothing is to be deleted."""
    return "All" in asked.get("dryRun", ())


def _addressed(call: Call) -> Json:
    query = call.query
    found: Json = {name: query[name] for name in ("propagationPolicy",) if name in query}
    if "gracePeriodSeconds" in query:
        found["gracePeriodSeconds"] = whole(query, "gracePeriodSeconds")
    if "orphanDependents" in query:
        found["orphanDependents"] = flag(query, "orphanDependents")
    if "dryRun" in query:
        found["dryRun"] = [query["dryRun"]]
    if wanted := {name: query[name] for name, _, _ in _PRECONDITIONS if name in query}:
        found["preconditions"] = wanted
    return found


def _stated(call: Call) -> Json:
    try:
        value = manifest.load_yaml(call.body) if "yaml" in call.content_type else manifest.load_json(call.body)
    except (msgspec.DecodeError, YamlError) as error:
        why = manifest.syntax(error, call.body)
        raise status.bad_request(f"couldn't get version/kind; json parse error: {why}") from error
    if value is None:
        return {}
    _check_kind(value, call.body)
    _check(value, _FIELDS, "DeleteOptions", "")
    _check(value.get("preconditions") or {}, _PRECONDITIONS, "Preconditions", "preconditions.")
    for each in value.get("dryRun") or ():
        if not isinstance(each, str):
            raise _wrong(json_type(each), "DeleteOptions", "dryRun", "string")
    return {name: value[name] for name, _, _ in _FIELDS if value.get(name) is not None}


def _check_kind(value: Any, text: bytes) -> None:
    if why := manifest.header(value):
        raise status.bad_request(why)
    version, kind = value.get("apiVersion") or "meta.k8s.io/v1", value.get("kind") or "DeleteOptions"
    if version.count("/") > 1:
        raise status.bad_request(f"unexpected GroupVersion string: {version}")
    if version.endswith("/"):
        raise status.bad_request(f"Object 'apiVersion' is missing in '{text.decode(errors='replace')}'")
    if kind != "DeleteOptions":
        raise status.bad_request(manifest.unregistered(kind, version))


def _check(value: Json, fields: tuple[tuple[str, type, str], ...], struct: str, path: str) -> None:
    """Refuse values of other types."""
    for name, wanted, told in fields:
        item = value.get(name)
        if item is None:
            continue
        if not isinstance(item, wanted) or (isinstance(item, bool) and wanted is not bool):
            shown = f"number {item}" if isinstance(item, float) else json_type(item)
            raise _wrong(shown, struct, f"{path}{name}", told)
        if isinstance(item, int) and not -_LARGEST <= item < _LARGEST:
            raise _wrong(f"number {item}", struct, f"{path}{name}", told)


def _wrong(shown: str, struct: str, path: str, wanted: str) -> status.Refused:
    return status.bad_request(f"json: cannot unmarshal {shown} into Go struct field {struct}.{path} of type {wanted}")


def _dry_run(asked: Json) -> list[status.Cause]:
    if all(each == "All" for each in asked.get("dryRun", ())):
        return []
    message = f'Unsupported value: {encode(asked["dryRun"]).decode()}: supported values: "All"'
    return [status.Cause("dryRun", "FieldValueNotSupported", message)]


def _policy(asked: Json) -> list[status.Cause]:
    policy = asked.get("propagationPolicy")
    if policy is None:
        return []
    shown = encode(policy).decode()
    if asked.get("orphanDependents") is not None:
        message = f"Invalid value: {shown}: orphanDependents and deletionPropagation cannot be both set"
        return [status.Cause("propagationPolicy", "FieldValueInvalid", message)]
    if policy in POLICIES:
        return []
    message = f'Unsupported value: {shown}: supported values: "Foreground", "Background", "Orphan", "nil"'
    return [status.Cause("propagationPolicy", "FieldValueNotSupported", message)]
