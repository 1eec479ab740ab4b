"""The formats of texts that a custom resource's schema may ask for; others are not checked, as the API server does not."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from urllib.parse import urlsplit
from uuid import UUID


def fits(text: str, name: str) -> bool:
    """Whether a text is of a format."""
    check = _CHECKS.get(name)
    return check is None or check(text)


def _accepts(read: Callable[[str], object]) -> Callable[[str], bool]:
    """Whether a reader takes the text."""

    def check(text: str) -> bool:
        try:
            read(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


_TIME = _matches(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?")
_CHECKS: dict[str, Callable[[str], bool]] = {
    "byte": _accepts(lambda text: base64.b64decode(text, validate=True)),
    "cidr": lambda text: "/" in text and _accepts(lambda each: ip_network(each, strict=False))(text),
    "date": _accepts(lambda text: datetime.strptime(text, "%Y-%m-%d")),
    "date-time": _TIME,
    "duration": _matches(r"[+-]?(\d+(\.\d*)?\s*(ns|us|µs|ms|s|m|h|d|w|[a-z]+)\s*)+|0"),
    "email": _matches(r"[^@\s]+@[^@\s]+"),
    "hostname": _matches(
        r"(?=.{1,255}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
    ),
    "ipv4": _accepts(IPv4Address),
    "ipv6": _accepts(IPv6Address),
    "uri": lambda text: bool(urlsplit(text).scheme or text.startswith("/")),
    "uuid": _accepts(UUID),
}
