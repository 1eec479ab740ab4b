"""The five formats of files that SOPS knows, told by their content; each reads into branches and writes them again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from gitopsd_plugins.sops.document import KEY, Branch, Part
from gitopsd_plugins.sops.formats import dotenv, ini, jsonfile, yamlfile

_DOTENV = re.compile(rb"^sops_(?:mac|version|lastmodified)=", re.M)
_INI = re.compile(rb"^\[sops\][ \t]*\r?$", re.M)
_YAML = re.compile(rb"""^["']?sops["']?:(?=[ \t\r\n])""", re.M)
_SEALED = re.compile(rb"ENC\[AES256_GCM,data:[A-Za-z0-9+/=]+,iv:[A-Za-z0-9+/=]+,tag:[A-Za-z0-9+/=]+,type:[a-z]+\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One of them. `load` raises `SopsError` for what is none; `dump` writes what `sops --decrypt` writes."""

    name: str
    load: Callable[[bytes], list[Part]]
    dump: Callable[[list[Branch]], bytes]


YAML = Format(name="yaml", load=yamlfile.load, dump=yamlfile.dump)
JSON = Format(name="json", load=jsonfile.load, dump=jsonfile.dump)
BINARY = Format(name="binary", load=jsonfile.load, dump=jsonfile.content)
DOTENV = Format(name="dotenv", load=dotenv.load, dump=dotenv.dump)
INI = Format(name="ini", load=ini.load, dump=ini.dump)


def told(path: str, data: bytes) -> Format | None:
    """The format of an encrypted file; None for one that carries no metadata of SOPS."""
    if data.lstrip()[:1] == b"{":
        return _braced(path, data)
    if _YAML.search(data):
        return YAML
    if _INI.search(data):
        return INI
    return DOTENV if _DOTENV.search(data) else None


def holds_sealed(data: bytes) -> bool:
    """Whether there is a value in it that SOPS encrypted."""
    return _SEALED.search(data) is not None


def _braced(path: str, data: bytes) -> Format | None:
    """JSON, or what looks so: YAML in braces, and the envelope around a file of any other sort."""
    if b'"sops"' not in data:
        return None
    name = path.lower()
    try:
        found = json.loads(data)
    except ValueError:
        return YAML if name.endswith((".yaml", ".yml")) else JSON
    if not isinstance(found, dict) or KEY not in found:
        return None
    if name.endswith(".json"):
        return JSON
    if name.endswith((".yaml", ".yml")):
        return YAML
    return BINARY if found.keys() == {"data", KEY} else JSON
