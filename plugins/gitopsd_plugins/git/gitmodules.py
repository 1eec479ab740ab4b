"""Which repository stands behind a submodule: the file `.gitmodules`, and what its URLs mean beside the parent's. Pure.

The file is the repository's own, so hostile: nothing of it but paths and URLs is looked at, and a URL leads to a server or
nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from gitopsd.plugin import Rejected, SpecError, http
from gitopsd_plugins.git import address
from gitopsd_plugins.git.address import Address
from gitopsd_plugins.git.credentials import Access
from gitopsd_plugins.git.reference import FAILED

FILE = ".gitmodules"
MAX_BYTES = 1 << 20

_SECTION = re.compile(r'^\s*\[\s*submodule\s+"((?:[^"\\]|\\.)*)"\s*\]\s*$', re.IGNORECASE)
_OTHER = re.compile(r"^\s*\[")
_VALUE = re.compile(r"^\s*(path|url)\s*=\s*(.*?)\s*$", re.IGNORECASE)
_QUOTED = re.compile(r'^"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def parse(text: str) -> Mapping[str, str]:
    """Path -> URL. What has not both is left out; of two for one path the later stands."""
    found: list[dict[str, str]] = []
    inside = False
    for line in text.splitlines():
        if _SECTION.match(line):
            found.append({})
            inside = True
        elif _OTHER.match(line):
            inside = False
        elif inside and (value := _VALUE.match(line)):
            found[-1][value.group(1).lower()] = _plain(value.group(2))
    return {section["path"]: section["url"] for section in found if {"path", "url"} <= section.keys()}


def _plain(value: str) -> str:
    quoted = _QUOTED.match(value)
    if quoted:
        return _ESCAPED.sub(r"\1", quoted.group(1))
    return re.split(r"\s[#;]", value)[0].rstrip()


def resolve(url: str, path: str, parent: Address) -> Address:
    """The repository behind a submodule's URL, which may be relative to the parent's. Raises `Rejected`."""
    if url.startswith("-"):
        raise _refused(path, "its url begins with '-', as an option of a program would")
    if url.startswith(("./", "../")):
        url = _relative(url, path, parent)
    elif "://" not in url and "::" not in url and (short := address.SCP.match(url)):
        url = f"ssh://{short.group(1) or 'git'}@{short.group(2)}/{short.group(3).lstrip('/')}"
    if url.startswith("/") or not url.startswith(("https://", "http://", "ssh://")):
        raise _refused(path, "its url is not https://, http:// or ssh://; a file: or local one is never followed")
    try:
        return address.read(url, beside=None)
    except SpecError as error:
        raise _refused(path, str(error)) from error


def opening(place: Address, parent: Address, opened: Access, path: str) -> Access:
    """What opens a submodule: the parent's credentials at the parent's own origin, else what its URL says. Raises `Rejected`."""
    if http.same_origin(place.url, parent.url):
        return replace(opened, user=place.user or opened.user)
    if place.scheme == "ssh":
        raise _refused(path, f"no key is known for {place}: spec.secretRef is for {parent} only")
    return Access()


def _relative(url: str, path: str, parent: Address) -> str:
    if parent.local:
        raise _refused(path, "its url is relative to a folder of this machine")
    base, steps = parent.url, url.split("/")
    root = f"{base.split('://')[0]}://{base.split('://')[1].partition('/')[0]}"
    for step in steps:
        if step == "..":
            base = base.rpartition("/")[0]
            if len(base) < len(root):
                raise _refused(path, "its relative url leads out of the server")
        elif step not in {"", "."}:
            base = f"{base}/{step}"
    return base


def _refused(path: str, why: str) -> Rejected:
    return Rejected(f"submodule {path!r}: {why}", reason=FAILED)
