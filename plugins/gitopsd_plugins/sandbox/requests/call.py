"""One API request, taken apart: verb, resource, namespace, name, subresource, options, user and body.

It knows URLs and options as the API server reads them, and refuses what no handler should see. It does nothing.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Struct, field, structs

from gitopsd_plugins.sandbox.facts.resources import Resource, Resources
from gitopsd_plugins.sandbox.requests import negotiation, status
from gitopsd_plugins.sandbox.requests.negotiation import Form
from gitopsd_plugins.sandbox.requests.user import User

APPLY_TYPES = ("application/apply-patch+yaml", "application/apply-patch+cbor")
PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


class Target(Struct, frozen=True, kw_only=True):
    """What a URL path names. `name` is '' for a collection, `subresource` is '' for the object itself."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


class Call(Struct, frozen=True, kw_only=True):
    """A request to one resource."""

    verb: str
    target: Target
    query: Mapping[str, str] = field(default_factory=dict)
    user: User
    agent: str = ""
    content_type: str = ""
    accept: str = ""
    body: bytes = b""
    warnings: list[str] = field(default_factory=list)

    @property
    def resource(self) -> Resource:
        """The resource in the version that the URL names."""
        return self.target.resource

    @property
    def form(self) -> Form:
        """The form of the answer; `negotiation.checked` has refused what there is not."""
        return negotiation.form(self.accept) or negotiation.PLAIN

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be stored."""
        return self.query.get("dryRun") == "All"

    @property
    def manager(self) -> str:
        """The field manager: as given, else the program that the User-Agent names."""
        return self.query.get("fieldManager") or self.agent.partition("/")[0].strip()[:128] or "unknown"

    def is_apply(self) -> bool:
        """Whether this is a server-side apply."""
        return self.content_type in APPLY_TYPES


def speaking(call: Call, group: str, kind: str) -> Call:
    """The request as one to an object of the kind that its subresource speaks."""
    spoken = dataclasses.replace(
        call.resource,
        kind=kind,
        group=group,
        version="v1",
        type_name=f"io.k8s.api.{group.partition('.')[0]}.v1.{kind}",
        custom=False,
    )
    return structs.replace(call, target=structs.replace(call.target, resource=spoken, subresource=""))


def parse(path: str, resources: Resources) -> Target | None:
    """What a path below /api or /apis names; None when it is no resource path. Raises `Refused` for an unknown one."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    if version not in resources.versions(group):
        return None
    return _target(group, version, rest, resources)


def _target(group: str, version: str, rest: list[str], resources: Resources) -> Target:
    namespace = ""
    if (
        rest[0] == "namespaces"
        and len(rest) >= 3
        and not (group == "" and len(rest) == 3 and rest[2] in ("status", "finalize"))
    ):
        namespace, rest = rest[1], rest[2:]
    resource = resources.find(group, version, rest[0])
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced):
        raise status.no_such_resource()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and subresource not in resource.subresources:
        raise status.no_such_resource()
    if name and resource.namespaced and not namespace:
        raise status.no_such_resource()
    return Target(resource=resource, namespace=namespace, name=name, subresource=subresource)


LONGEST_MANAGER = 128
"""Bytes of a field manager's name."""

_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def verb(method: str, target: Target, query: Mapping[str, str]) -> str:
    """The verb of a request. Raises `Refused` (405) where the resource does not allow it."""
    if method == "HEAD" and target.resource.custom:  # built-in resources are routed by method, custom ones by verb
        method = "GET"
    if target.name in (".", ".."):
        raise status.bad_request(f"Name parameter invalid: \"{target.name}\": may not be '{target.name}'")
    if target.name and not target.subresource and target.resource.verbs == ("create",):  # reviews have no names
        raise status.no_such_resource()
    if not target.name:
        found = _COLLECTION_VERBS.get(method, "")
        if found == "list" and flag(query, "watch"):
            found = "watch"
        everywhere = target.resource.namespaced and not target.namespace and "list" in target.resource.verbs
        if everywhere and found in ("create", "deletecollection"):
            raise status.method_not_allowed()
    elif target.subresource and method == "POST":
        found = "create"
    else:
        found = _OBJECT_VERBS.get(method, "")
    allowed = target.resource.subresources[target.subresource].verbs if target.subresource else target.resource.verbs
    if found not in allowed:
        raise status.method_not_allowed()
    return found


_OPTIONS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}


def check_options(call: Call) -> None:
    """Refuse unknown values of options that every write but a deletion has."""
    if (kind := _OPTIONS.get(call.verb)) is None:
        return
    causes: list[status.Cause] = []
    dry_run, validation = call.query.get("dryRun", "All"), call.query.get("fieldValidation", "")
    causes.extend(_manager_causes(call.query.get("fieldManager", "")))
    if dry_run != "All":
        message = f'Unsupported value: [{msgspec.json.encode(dry_run).decode()}]: supported values: "All"'
        causes.append(status.Cause("dryRun", "FieldValueNotSupported", message))
    if validation not in ("", "Strict", "Warn", "Ignore"):
        message = f'Unsupported value: "{validation}": supported values: "", "Ignore", "Strict", "Warn"'
        causes.append(status.Cause("fieldValidation", "FieldValueNotSupported", message))
    if call.verb == "patch":
        causes.extend(_patch_causes(call))
    if causes:
        raise status.invalid("meta.k8s.io", kind, "", causes)


def _manager_causes(manager: str) -> Iterator[status.Cause]:
    if len(manager.encode(errors="replace")) > LONGEST_MANAGER:
        told = f"Too long: may not be more than {LONGEST_MANAGER} bytes"
        yield status.Cause("fieldManager", "FieldValueTooLong", told)
    shown = msgspec.json.encode(manager).decode().replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    place = 0
    for sign in manager:
        if not sign.isprintable():
            told = f"Invalid value: {shown}: invalid character U+{ord(sign):04X} (at position {place})"
            yield status.Cause("fieldManager", "FieldValueInvalid", told)
        place += len(sign.encode(errors="replace"))


def _patch_causes(call: Call) -> list[status.Cause]:
    if call.is_apply() and not call.query.get("fieldManager"):
        return [status.Cause("fieldManager", "FieldValueRequired", "Required value: is required for apply patch")]
    if not call.is_apply() and "force" in call.query:
        return [status.Cause("force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch")]
    return []


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean option, which is set by whatever is not a word for no."""
    return query.get(name, "false").lower() not in ("false", "0")


def whole(query: Mapping[str, str], name: str) -> int:
    """A numeric option, 0 when absent. Raises `Refused`."""
    text = query.get(name, "")
    if not text:
        return 0
    if not _WHOLE.fullmatch(text):
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if not -(2**63) <= (number := int(text)) < 2**63:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")
