"""The functions that Kubernetes adds to CEL: regular expressions, lists (`expression_lists.py`), URLs, quantities, addresses.

Values of their own (a URL, a quantity, an address) are maps with one key to CEL, so that equal ones are equal. What is not here
(`format`, `sortBy`, comprehensions with two variables) is named in `UNKNOWN`. Functions raise ValueError in the API server's words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from gitopsd_plugins.sandbox.expressions import expression_lists as lists
from gitopsd_plugins.sandbox.expressions import expression_versions
from gitopsd_plugins.sandbox.facts import quantity

UNKNOWN = re.compile(
    r"\b(?:format\.\w+\(|transform(?:List|Map|MapEntry)\(|sortBy\(|"
    r"(?:all|exists|existsOne|exists_one)\(\s*\w+\s*,\s*\w+\s*,)"
)
"""What a real server knows and this one does not."""

Value = dict[str, str]


def extension(cel: Any) -> Any:
    """All of them, for an environment."""
    return cel.CelExtension("kubernetes", [_declared(cel, name, found) for name, found in _FUNCTIONS.items()])


def _declared(cel: Any, name: str, overloads: Sequence[tuple[str, str, Callable[..., Any]]]) -> Any:
    found = []
    for index, (takes, gives, body) in enumerate(overloads):
        overload = cel.Overload(
            id=f"kubernetes_{name.replace('.', '_')}_{index}",
            return_type=_TYPES[gives](cel),
            parameters=[_TYPES[each](cel) for each in takes.lstrip(".")],
            is_member=takes.startswith("."),
            impl=body,
        )
        found.append(overload)
    return cel.FunctionDecl(name, found)


_TYPES: dict[str, Callable[[Any], Any]] = {
    "b": lambda cel: cel.Type.BOOL,
    "d": lambda cel: cel.Type.DYN,
    "f": lambda cel: cel.Type.DOUBLE,
    "i": lambda cel: cel.Type.INT,
    "l": lambda cel: cel.Type.List(cel.Type.DYN),
    "m": lambda cel: cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "s": lambda cel: cel.Type.STRING,
}


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found[0] if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [each[0] for each in re.finditer(pattern, text)]
    return found if limit < 0 else found[:limit]


def _is(make: Callable[[str], Value]) -> Callable[[str], bool]:
    """Whether a text can be made a value of."""

    def check(text: str) -> bool:
        try:
            make(text)
        except ValueError:
            return False
        return True

    return check


def _url(text: str) -> Value:
    try:
        found = urlsplit(text)
    except ValueError as error:
        raise ValueError(f'URL parse error during conversion from string: parse "{text}": {error}') from error
    if not (found.scheme or text.startswith("/")):
        why = "invalid URI for request" if text else "empty url"
        raise ValueError(f'URL parse error during conversion from string: parse "{text}": {why}')
    return {"url": text}


def _of_url(give: Callable[[SplitResult], Any]) -> Callable[[Value], Any]:
    return lambda value: give(urlsplit(value["url"]))


def _hostname(found: SplitResult) -> str:
    return found.netloc.rpartition("@")[2].rpartition(":")[0].strip("[]") if _port(found) else found.netloc.strip("[]")


def _port(found: SplitResult) -> str:
    host, _, port = found.netloc.rpartition(":")
    return port if host and port.isdigit() else ""


def _query(found: SplitResult) -> dict[str, list[str]]:
    return parse_qs(found.query, keep_blank_values=True)


def _quantity(text: str) -> Value:
    return {"quantity": str(quantity.amount(text).normalize())}


def _amount(value: Value) -> Decimal:
    return Decimal(value["quantity"])


def _compared(value: Value, other: Value) -> int:
    if "semver" in value:
        return expression_versions.compared(value, other)
    left, right = _amount(value), _amount(other)
    return (left > right) - (left < right)


def _numbered(index: int, value: Value) -> int:
    return expression_versions.number(value, index)


def _whole(value: Value) -> int:
    found = _amount(value)
    if not _is_whole(value):
        raise ValueError("cannot convert value to integer")
    return int(found)


def _is_whole(value: Value) -> bool:
    found = _amount(value)
    return found == found.to_integral_value() and abs(found) < 2**63


def _plus(sign: int) -> Callable[[Value, Value | int], Value]:
    def summed(value: Value, other: Value | int) -> Value:
        more = Decimal(other) if isinstance(other, int) else _amount(other)
        return {"quantity": str((_amount(value) + sign * more).normalize())}

    return summed


def _ip(text: str) -> Value:
    try:
        found = ip_address(text)
    except ValueError as error:
        why = f'IP Address "{text}" parse error during conversion from string: ParseAddr("{text}"): unable to parse IP'
        raise ValueError(why) from error
    if isinstance(found, IPv6Address) and found.scope_id:
        raise ValueError(f'IP address "{text}" with zone value is not allowed')
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        raise ValueError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return {"ip": str(found)}


def _cidr(text: str) -> Value:
    try:
        if "/" not in text:
            raise ValueError("no '/'")
        ip_network(text, strict=False)
    except ValueError as error:
        why = f'network address parse error during conversion from string: netip.ParsePrefix("{text}"): {error}'
        raise ValueError(why) from error
    return {"cidr": text}


def _address(value: Value | str) -> IPv4Address | IPv6Address:
    return ip_address((value if isinstance(value, dict) else _ip(value))["ip"])


def _is_global_unicast(value: Value) -> bool:
    """As Go has it: of whatever scope but that of a link, so that private addresses are."""
    found = _address(value)
    if found == IPv4Address("255.255.255.255"):
        return False
    return not (found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local)


def _is_local_multicast(value: Value) -> bool:
    found = _address(value)
    return found in ip_network("224.0.0.0/24") or (
        found.version == 6 and found.is_multicast and found.packed[1] & 15 == 2
    )


def _network(value: Value | str) -> IPv4Network | IPv6Network:
    return ip_network((value if isinstance(value, dict) else _cidr(value))["cidr"], strict=False)


def _holds(value: Value, other: Value | str) -> bool:
    inner, outer = _network(other), _network(value)
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # of one version


def _masked(value: Value) -> Value:
    return {"cidr": str(_network(value))}


def _all() -> Iterator[tuple[str, tuple[tuple[str, str, Callable[..., Any]], ...]]]:
    """Name, and for each overload: what it takes (a dot before: a method), what it gives, and its body."""
    yield "find", ((".ss", "s", _find),)
    yield "findAll", ((".ss", "l", _find_all), (".ssi", "l", _find_all))
    yield "isSorted", ((".l", "b", lists.is_sorted),)
    yield "sum", ((".l", "d", sum),)
    yield "min", ((".l", "d", lists.extreme("min", min)),)
    yield "max", ((".l", "d", lists.extreme("max", max)),)
    yield "indexOf", ((".ld", "i", lists.index),)
    yield "lastIndexOf", ((".ld", "i", lists.last_index),)
    yield "flatten", ((".l", "l", lists.flatten), (".li", "l", lists.flatten))
    yield "slice", ((".lii", "l", lists.part),)
    yield "sort", ((".l", "l", sorted),)
    yield "distinct", ((".l", "l", lists.distinct),)
    yield "reverse", ((".l", "l", lambda items: items[::-1]),)
    yield "lists.range", (("i", "l", lists.numbers),)
    yield "url", (("s", "d", _url),)
    yield "isURL", (("s", "b", _is(_url)),)
    yield "getScheme", ((".d", "s", _of_url(lambda found: found.scheme)),)
    yield "getHost", ((".d", "s", _of_url(lambda found: found.netloc.rpartition("@")[2])),)
    yield "getHostname", ((".d", "s", _of_url(_hostname)),)
    yield "getPort", ((".d", "s", _of_url(_port)),)
    yield "getEscapedPath", ((".d", "s", _of_url(lambda found: found.path)),)
    yield "getQuery", ((".d", "m", _of_url(_query)),)
    yield "quantity", (("s", "d", _quantity),)
    yield "isQuantity", (("s", "b", _is(_quantity)),)
    yield "isGreaterThan", ((".dd", "b", lambda a, b: _compared(a, b) > 0),)
    yield "isLessThan", ((".dd", "b", lambda a, b: _compared(a, b) < 0),)
    yield "compareTo", ((".dd", "i", _compared),)
    yield "sign", ((".d", "i", lambda a: _compared(a, {"quantity": "0"})),)
    yield "isInteger", ((".d", "b", _is_whole),)
    yield "asInteger", ((".d", "i", _whole),)
    yield "asApproximateFloat", ((".d", "f", lambda a: float(_amount(a))),)
    yield "add", ((".dd", "d", _plus(1)),)
    yield "sub", ((".dd", "d", _plus(-1)),)
    yield "semver", (("s", "d", expression_versions.made), ("sb", "d", expression_versions.made))
    yield "isSemver", (("s", "b", expression_versions.is_one), ("sb", "b", expression_versions.is_one))
    for index, name in enumerate(("major", "minor", "patch")):
        yield name, ((".d", "i", partial(_numbered, index)),)
    yield "ip", (("s", "d", _ip), (".d", "d", lambda a: _ip(a["cidr"].partition("/")[0])))
    yield "isIP", (("s", "b", _is(_ip)),)
    yield "ip.isCanonical", (("s", "b", lambda text: _ip(text)["ip"] == text),)
    yield "family", ((".d", "i", lambda a: _address(a).version),)
    yield "isUnspecified", ((".d", "b", lambda a: _address(a).is_unspecified),)
    yield "isLoopback", ((".d", "b", lambda a: _address(a).is_loopback),)
    yield "isLinkLocalUnicast", ((".d", "b", lambda a: _address(a).is_link_local),)
    yield "isLinkLocalMulticast", ((".d", "b", _is_local_multicast),)
    yield "isGlobalUnicast", ((".d", "b", _is_global_unicast),)
    yield "cidr", (("s", "d", _cidr),)
    yield "isCIDR", (("s", "b", _is(_cidr)),)
    yield "containsIP", ((".dd", "b", lambda a, b: _address(b) in _network(a)),)
    yield "containsCIDR", ((".dd", "b", _holds),)
    yield "prefixLength", ((".d", "i", lambda a: _network(a).prefixlen),)
    yield "masked", ((".d", "d", _masked),)


_FUNCTIONS = dict(_all())
