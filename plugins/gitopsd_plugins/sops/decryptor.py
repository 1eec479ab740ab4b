"""The role: files that SOPS encrypted, in all five formats, opened with the keys that Flux's Secrets hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from gitopsd.plugin import Answers, Body, Keys, Misconfigured, Opened
from gitopsd_plugins.sops import datakey, formats, keyring, opening
from gitopsd_plugins.sops.document import KEY, SopsError

MAX_FILE = 5 * 1024 * 1024


class SopsDecryptor:
    """`provider: sops` of a Flux Kustomization."""

    name = "sops"
    version = "1"

    def seals(self, path: str, data: bytes) -> bool:
        """Whether SOPS encrypted the file, or a part of it."""
        return b"ENC[AES256_GCM," in data and (formats.told(path, data) is not None or formats.holds_sealed(data))

    def seals_object(self, body: Body) -> bool:
        """Whether it is an object that SOPS encrypted."""
        metadata = body.get(KEY)
        return isinstance(metadata, Mapping) and "mac" in metadata

    def open(self, path: str, data: bytes, keys: Sequence[Keys], answers: Answers, *, verify: bool) -> Opened:
        """The file as it was. Raises `SopsError` naming it, and `Locked` where services have to be asked first."""
        try:
            return _opened(path, data, keys, answers, verify=verify)
        except SopsError as error:
            raise SopsError(f"{path}: {error}") from error
        except Misconfigured as error:
            raise Misconfigured(f"{path}: {error}", reason=error.reason) from error


def _opened(path: str, data: bytes, keys: Sequence[Keys], answers: Answers, *, verify: bool) -> Opened:
    if len(data) > MAX_FILE:
        raise SopsError(f"has {len(data):,} bytes; an encrypted file may have {MAX_FILE:,}")
    form = formats.told(path, data)
    if form is None:
        if _is_left_alone(path, data):
            return Opened(data=data)
        raise SopsError("holds encrypted values and not the metadata that opens them (sops); was it cut off?")
    ring = keyring.of(keys)
    return opening.opened(form, data, partial(datakey.of, keyring=ring, answers=answers), verify=verify)


def _is_left_alone(path: str, data: bytes) -> bool:
    form = formats.JSON if path.endswith(".json") else formats.YAML
    try:
        return opening.is_left_alone(form, data)
    except SopsError:
        return False  # what cannot be read says nothing of itself
