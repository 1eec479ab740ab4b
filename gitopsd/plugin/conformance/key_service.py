"""What every service that keeps keys promises. A plugin's tests subclass `KeyServiceSuite` and fill in its fields.

class TestMine(KeyServiceSuite):
    service = MyService
    lock = Lock.of("mine", {"key": "a", "enc": "..."})
    unfit = Lock.of("mine", {"key": "?"})
    held = "my.credentials"
    broken = b"no credentials, but very-secret"
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import pytest

from gitopsd.model.errors import GitopsdError, Rejected
from gitopsd.plugin.context import Context
from gitopsd.plugin.decryption import Asker, Keys, KeyService, Lock


class _Nowhere:
    """A context that nothing may be asked of."""

    platform: ClassVar[dict[str, str]] = {}

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"it is asked for {name} before it is known whether it may")


NOWHERE = cast("Context", _Nowhere())


class KeyServiceSuite:
    """`lock` names a key, `unfit` none; `held` is the key of a Secret with credentials, and `broken` what can be none."""

    service: ClassVar[type[KeyService]]
    lock: ClassVar[Lock]
    unfit: ClassVar[Lock]
    held: ClassVar[str]
    broken: ClassVar[bytes | None] = None

    def test_it_names_the_key_always_alike(self) -> None:
        """Settings allow keys by that name."""
        assert self.service().sort == self.lock.sort
        assert self.service().key(self.lock) == self.service().key(self.lock) != ""

    def test_what_names_no_key_is_refused_in_words(self) -> None:
        """A file holds what its author likes."""
        with pytest.raises(Rejected):
            self.service().key(self.unfit)

    @pytest.mark.asyncio
    async def test_without_credentials_nobody_is_asked_and_what_is_missing_is_named(self) -> None:
        """Least of all with gitopsd's own identity."""
        for own in ((), ("somebody-elses-key", "*-but-not-this-one")):
            asker = Asker(keys=(Keys(place="Secret/a/b", values={"other": b"x"}),), own=own)
            with pytest.raises(GitopsdError) as raised:
                await self.service().open(self.lock, asker, NOWHERE)
            assert all(word in str(raised.value) for word in (self.held, "Secret/a/b", "decryption.ownIdentity"))

    @pytest.mark.asyncio
    async def test_credentials_that_are_none_are_named_by_their_place_and_never_quoted(self) -> None:
        """A message goes to logs, events and statuses."""
        if self.broken is None:
            pytest.skip("anything may be a credential")
        asker = Asker(keys=(Keys(place="Secret/a/b", values={self.held: self.broken}),))
        with pytest.raises(GitopsdError) as raised:
            await self.service().open(self.lock, asker, NOWHERE)
        assert f"Secret/a/b[{self.held}]" in str(raised.value)
        assert "very-secret" not in str(raised.value)
