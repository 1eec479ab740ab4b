"""What the API server accepts as names, labels, annotations and data keys, with its messages.

It knows texts, no objects. Each check gives the reason why a text is refused, or ''.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")

_SUBDOMAIN_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_MESSAGE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_KEY_PARTS = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_QUALIFIED_MESSAGE = f"name part {_KEY_PARTS}"
_VALUE_MESSAGE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_MESSAGE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
    "regex used for validation is '[-._a-zA-Z0-9]+')"
)

PATH_NAMED = {"clusterroles", "clusterrolebindings", "roles", "rolebindings"}
LABEL_NAMED = {"namespaces", "services", "statefulsets"}


def object_name(text: str, plural: str) -> str:
    """The name of an object of a built-in resource; roles may have almost any, a few others only one label. '' stands for the rest."""
    if plural in PATH_NAMED:
        return path(text)
    if plural in LABEL_NAMED:
        return label(text)
    return _checked(text, _SUBDOMAIN, 253, _SUBDOMAIN_MESSAGE)


def path(text: str) -> str:
    """A name that may be almost anything, as a part of a URL's path."""
    if text in (".", ".."):
        return f"may not be '{text}'"
    return next((f"may not contain '{sign}'" for sign in "/%" if sign in text), "")


def label(text: str) -> str:
    """A DNS label: a container's or port's name."""
    if len(text) <= 63 and "." in text and _SUBDOMAIN.fullmatch(text):
        return "must not contain dots"
    return _checked(text, _LABEL, 63, _LABEL_MESSAGE)


@lru_cache(maxsize=4096)
def qualified(text: str) -> str:
    """The key of a label or annotation: an optional DNS prefix and a name."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        return (
            f"a valid label key {_KEY_PARTS} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        )
    if slash and not prefix:
        return "prefix part must be non-empty"
    if prefix and (reason := _checked(prefix, _SUBDOMAIN, 253, _SUBDOMAIN_MESSAGE, "bytes")):
        return f"prefix part {reason}"
    if not name:
        return "name part must be non-empty"
    if len(name) > 63:
        return "name part must be no more than 63 bytes"
    return "" if _QUALIFIED.fullmatch(name) else _QUALIFIED_MESSAGE


@lru_cache(maxsize=4096)
def label_value(text: str) -> str:
    """The value of a label."""
    return _checked(text, _VALUE, 63, _VALUE_MESSAGE, "bytes")


def data_key(text: str) -> str:
    """A key in a ConfigMap or Secret."""
    return _checked(text, _DATA_KEY, 253, _KEY_MESSAGE)


def _checked(text: str, pattern: re.Pattern[str], longest: int, message: str, unit: str = "characters") -> str:
    if len(text) > longest:
        return f"must be no more than {longest} {unit}"
    return "" if pattern.fullmatch(text) else message
