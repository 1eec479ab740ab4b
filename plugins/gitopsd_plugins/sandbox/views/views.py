"""The bytes in which an object is sent: whole, as an item of a list, as metadata only, and as a watch event.

It knows the wire forms of one object and nothing about requests. Objects keep their encoded content, so these are
concatenations.
"""

from __future__ import annotations

from collections.abc import Callable

from gitopsd_plugins.sandbox.defaulting.conversion import converted
from gitopsd_plugins.sandbox.facts.resources import Resource
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.storage.store import Stored, encode

View = Callable[[Resource, Stored], bytes]


def prefix(resource: Resource) -> bytes:
    """How an object of this resource starts."""
    return b'{"kind":"%s","apiVersion":"%s",' % (resource.kind.encode(), resource.api_version.encode())


def whole(resource: Resource, stored: Stored) -> bytes:
    """The object."""
    if resource.storage_version not in ("", resource.version) and not resource.custom:
        return encode(converted(stored.body, resource))
    return prefix(resource) + stored.rest[1:]


def item(resource: Resource, stored: Stored) -> bytes:
    """The object inside a list: the API server leaves kind and version out there, but for custom resources."""
    if resource.custom:
        return whole(resource, stored)
    if resource.storage_version not in ("", resource.version):
        body = converted(stored.body, resource)
        return encode({name: value for name, value in body.items() if name not in ("apiVersion", "kind")})
    return stored.rest


def partial(version: str) -> View:
    """The object's metadata only, in a version of its form."""
    start = b'{"kind":"PartialObjectMetadata","apiVersion":"%s","metadata":' % version.encode()

    def view(_: Resource, stored: Stored) -> bytes:
        return b"%s%s}" % (start, encode(stored.metadata))

    return view


def body(resource: Resource, value: Json) -> bytes:
    """An object that is not stored: the answer to a dry run."""
    value = converted(value, resource)
    rest = {name: each for name, each in value.items() if name not in ("apiVersion", "kind")}
    return prefix(resource) + encode(rest)[1:]


def event(kind: str, shown: bytes) -> bytes:
    """One line of a watch."""
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), shown)
