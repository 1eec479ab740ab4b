"""What every decryptor promises. A plugin's tests subclass `DecryptorSuite` and fill in its fields.

class TestMine(DecryptorSuite):
    decryptor = MyDecryptor
    sealed = {"app/secret.yaml": b"..."}
    plain = {"app/secret.yaml": b"..."}
    keys = (Keys(place="Secret/a/keys", values={"one.key": b"..."}),)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from gitopsd.model.errors import GitopsdError
from gitopsd.plugin.decryption import Answers, Decryptor, Keys, Opened

_NO_KEYS = (Keys(place="Secret/conformance/empty", values={}),)


class DecryptorSuite:
    """`sealed` by path are files that `keys` open, without asking any service, to `plain`."""

    decryptor: ClassVar[type[Decryptor]]
    sealed: ClassVar[Mapping[str, bytes]]
    plain: ClassVar[Mapping[str, bytes]]
    keys: ClassVar[Sequence[Keys]]

    def opened(self, path: str, data: bytes, keys: Sequence[Keys] | None = None) -> Opened:
        """Open with a fresh instance, as a worker process does."""
        return self.decryptor().open(path, data, self.keys if keys is None else keys, Answers(), verify=True)

    def test_it_has_a_name_and_a_version(self) -> None:
        """Both enter cache keys."""
        assert self.decryptor().name
        assert self.decryptor().version

    def test_what_is_sealed_is_told_from_what_is_not(self) -> None:
        """It is asked for every file that a renderer reads."""
        for path in self.sealed:
            assert self.decryptor().seals(path, self.sealed[path]), path
            assert not self.decryptor().seals(path, self.plain[path]), path
        assert not self.decryptor().seals("empty", b"")
        assert not self.decryptor().seals("noise", bytes(range(256)))

    def test_sealed_files_open_to_what_they_were(self) -> None:
        """Byte for byte: a file may become a value of a Secret as it is."""
        for path, data in self.sealed.items():
            assert self.opened(path, data).data == self.plain[path], path

    def test_what_was_sealed_is_named_as_secret(self) -> None:
        """The core masks these texts wherever it would show them."""
        values = [self.opened(path, data).values for path, data in self.sealed.items()]
        assert any(values)
        for path, data in self.sealed.items():
            for value in self.opened(path, data).values:
                assert value.encode("utf-8", "surrogateescape") not in data or len(value) < 4, path

    def test_without_a_key_the_file_is_named_and_nothing_else(self) -> None:
        """A message goes to logs, events and statuses."""
        for path, data in self.sealed.items():
            with pytest.raises(GitopsdError) as raised:
                self.opened(path, data, _NO_KEYS)
            assert path in str(raised.value)
            assert not any(value in str(raised.value) for value in self.opened(path, data).values if len(value) > 5)

    def test_a_file_that_was_cut_off_is_refused(self) -> None:
        """Half a file must never be taken for a whole one."""
        for path, data in self.sealed.items():
            with pytest.raises(GitopsdError) as raised:
                self.opened(path, data[: len(data) // 2])
            assert path in str(raised.value)

    def test_keys_and_what_they_open_are_not_shown(self) -> None:
        """Whoever logs a value of these types logs no secret."""
        for path, data in self.sealed.items():
            found = self.opened(path, data)
            assert not any(value in repr(found) for value in found.values if len(value) > 5)
        assert not any(repr(value)[2:12] in repr(key) for key in self.keys for value in key.values.values())
