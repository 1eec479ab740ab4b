"""Rules of EndpointSlices: what an endpoint's addresses may be, and how ports are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from gitopsd_plugins.sandbox.facts import names
from gitopsd_plugins.sandbox.facts.schema import Json
from gitopsd_plugins.sandbox.requests import causes
from gitopsd_plugins.sandbox.requests.status import Cause

TYPES = ("FQDN", "IPv4", "IPv6")
PROTOCOLS = ("SCTP", "TCP", "UDP")
MOST_ADDRESSES = 100
_VERSIONS = {"IPv4": 4, "IPv6": 6}


def of(body: Json) -> Iterator[Cause]:
    """What is wrong with a slice."""
    kind = body.get("addressType")
    if not kind:
        yield causes.required("addressType")
    elif kind not in TYPES:
        yield causes.unsupported("addressType", kind, TYPES)
    for index, endpoint in enumerate(body.get("endpoints") or ()):
        yield from _endpoint(endpoint, kind, f"endpoints[{index}]")
    yield from _ports(body.get("ports") or ())


def _endpoint(endpoint: Json, kind: Any, field: str) -> Iterator[Cause]:
    addresses = endpoint.get("addresses") or ()
    if not addresses:
        yield causes.required(f"{field}.addresses", "must contain at least 1 address")
    if len(addresses) > MOST_ADDRESSES:
        why = f"Too many: {len(addresses)}: must have at most {MOST_ADDRESSES} items"
        yield Cause(f"{field}.addresses", "FieldValueTooMany", why)
        return
    for index, text in enumerate(addresses):
        yield from _address(text, kind, f"{field}.addresses", index)
    if why := names.object_name(endpoint.get("nodeName") or "a", ""):
        yield causes.wrong(f"{field}.nodeName", endpoint["nodeName"], why)
    if why := names.label(endpoint.get("hostname") or "a"):
        yield causes.wrong(f"{field}.hostname", endpoint["hostname"], why)


def _address(text: str, kind: Any, field: str, index: int) -> Iterator[Cause]:
    where = f"{field}[{index}]"
    if kind == "FQDN":
        if why := names.object_name(text, ""):
            yield causes.wrong(where, text, why)
        return
    if kind not in _VERSIONS:
        return
    found = _read(text)
    if found is None:
        leading = _read(_LEADING.sub("", text)) is not None
        why = "must not have leading 0s" if leading else "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        yield causes.wrong(where, text, why)
        return
    if found.version != _VERSIONS[kind]:
        yield causes.wrong(field, text, f"must be an {kind} address")
    if why := _form(found, text):
        yield causes.wrong(where, text, why)
    if why := _special(found):
        yield causes.wrong(where, text, why)


_LEADING = re.compile(r"(?<![0-9])0+(?=[0-9])")


def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _form(found: IPv4Address | IPv6Address, text: str) -> str:
    """Why an address is not written as it should be; empty where it is."""
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return "must not be an IPv4-mapped IPv6 address"
    return "" if str(found) == text else f'must be in canonical form ("{found}")'


def _special(found: IPv4Address | IPv6Address) -> str:
    """Why an address is none that others can reach; empty where it may be one."""
    if found.is_unspecified:
        return f"may not be unspecified ({found})"
    if found.is_loopback:
        return "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    if found.is_link_local:
        return "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    if found in ip_network("224.0.0.0/24") or found in ip_network("ff02::/16"):
        return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
    return ""


def _ports(ports: Any) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        field, name = f"ports[{index}]", port.get("name") or ""
        if name and (why := names.label(name)):
            yield causes.wrong(f"{field}.name", name, why)
        if name in seen:
            yield Cause(f"{field}.name", "FieldValueDuplicate", f"Duplicate value: {causes.in_order(name)}")
        seen.add(name)
        if port.get("protocol", "TCP") not in PROTOCOLS:
            yield causes.unsupported(f"{field}.protocol", port["protocol"], PROTOCOLS)
        if why := names.qualified(port.get("appProtocol") or "a"):
            yield causes.wrong(f"{field}.appProtocol", port["appProtocol"], why)
