"""Which signatures a GitRepository asks for, and with which keys: Flux's modes, reasons and words. Pure.

`provenance.py` checks them; this much is needed where nothing is fetched yet, so that no cryptography is loaded for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from gitopsd_plugins.git.reference import Wanted

Mode = Literal["HEAD", "Tag", "TagAndHEAD"]

INVALID_MODE = "InvalidVerificationMode"
UNVERIFIABLE = "VerificationError"
"""Flux's reason for keys that cannot be had."""
NO_TAG = "a tag can be verified only where the reference is one; set spec.ref.tag or spec.ref.semver, or spec.verify.mode: HEAD"
TAGS = "refs/tags/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What has to be signed, and the public keys by the names in their Secret. `label` names field and Secret."""

    mode: Mode
    keys: Mapping[str, bytes] = field(repr=False)
    label: str
    now: datetime

    @property
    def of_tag(self) -> bool:
        """Whether the annotated tag has to be signed."""
        return self.mode != "HEAD"


def fits(mode: Mode, wanted: Wanted) -> bool:
    """Whether a reference can be verified in this mode: only tags have signatures of their own."""
    named = (
        wanted.name.startswith(TAGS) or bool(wanted.either) or (not wanted.name and bool(wanted.tag or wanted.semver))
    )
    return mode == "HEAD" or (not wanted.commit and named)
