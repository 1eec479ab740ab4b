"""Distinguished names of certificates, as trust policies write them (RFC 4514). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

_SPACE = re.compile(r"(?<!\\),\s+")
_NEEDED = {"2.5.4.6": "C", "2.5.4.8": "ST", "2.5.4.10": "O"}


def read(text: str) -> Mapping[str, str]:
    """Attributes (by their identifier) and values of a written name. Raises `ValueError` whose message ends a sentence."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    if "=#" in text:
        raise ValueError("holds =#, which trust policies do not have")
    try:
        # people write a space after a comma, which the rule of 2006 does not have
        found = x509.Name.from_rfc4514_string(
            _SPACE.sub(",", text), attr_name_overrides={"S": NameOID.STATE_OR_PROVINCE_NAME}
        )
    except (ValueError, TypeError) as error:
        raise ValueError("is no distinguished name such as C=DE, ST=BE, O=Example") from error
    attributes = of(found)
    missing = [short for oid, short in _NEEDED.items() if not attributes.get(oid)]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)}")
    return attributes


def of(name: x509.Name) -> Mapping[str, str]:
    """Attributes and values of a name. Raises `ValueError` for several at one level, and for one that comes twice."""
    found: dict[str, str] = {}
    for level in name.rdns:
        attributes = list(level)
        if len(attributes) != 1:
            raise ValueError("has several attributes at one level")
        oid, value = attributes[0].oid.dotted_string, attributes[0].value
        if oid in found:
            raise ValueError(f"has the attribute {attributes[0].rfc4514_attribute_name} twice")
        found[oid] = value if isinstance(value, str) else value.hex()
    return found


def covers(wanted: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Whether all that is wanted is so."""
    return all(found.get(oid) == value for oid, value in wanted.items())
