"""Lists that were not sent whole: what is left of them, by the token that asks for the rest."""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict

import msgspec
from msgspec import Struct, field

from gitopsd_plugins.sandbox.requests import status
from gitopsd_plugins.sandbox.storage.store import Stored, encode

KEPT_LISTS = 64
TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
    "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with "
    "the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


class Pages(Struct):
    """What unfinished paged lists still have to send, the newest lists only."""

    kept: OrderedDict[str, tuple[int, list[Stored]]] = field(default_factory=OrderedDict)
    issued: int = 0

    def keep(self, version: int, rest: list[Stored]) -> str:
        """A token for the rest of a list."""
        self.issued += 1
        key = str(self.issued)
        self.kept[key] = (version, rest)
        while len(self.kept) > KEPT_LISTS:
            self.kept.popitem(last=False)
        return urlsafe_b64encode(encode({"v": "meta.k8s.io/v1", "rv": version, "start": key})).decode().rstrip("=")

    def rest(self, token: str) -> tuple[int, list[Stored]]:
        """The version and what is left of a list. Raises `Refused`."""
        try:
            key = msgspec.json.decode(urlsafe_b64decode(token + "=" * (-len(token) % 4)))["start"]
        except binascii.Error as error:
            why = "illegal base64 data at input byte"
            raise status.bad_request(
                f"invalid continue token: continue key is not valid: {why} {_odd(token)}"
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
            raise status.bad_request("invalid continue token: continue key is not valid") from error
        if key not in self.kept:
            raise status.expired(TOO_OLD)
        return self.kept[key]


def _odd(token: str) -> int:
    """Where a token stops to be one; Go reads four characters at a time."""
    found = re.search(r"[^A-Za-z0-9_-]", token)
    return found.start() if found else len(token) - len(token) % 4
