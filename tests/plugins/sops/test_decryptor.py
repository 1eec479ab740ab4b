"""What is wrong with an encrypted file, or with the keys for it, is said so that it can be mended, and never quoted."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

import pytest

from gitopsd.plugin import Answers, GitopsdError, Keys, Lock, Locked, Misconfigured, Rejected
from gitopsd_plugins.sops.decryptor import MAX_FILE, SopsDecryptor

Files = dict[str, bytes]
PASSWORD = b"correct-horse-battery"


def opened(data: bytes, keys: Sequence[Keys], path: str = "app/secret.yaml", *, verify: bool = True) -> bytes:
    return SopsDecryptor().open(path, data, keys, Answers(), verify=verify).data


def refused(data: bytes, keys: Sequence[Keys], path: str = "app/secret.yaml", *, verify: bool = True) -> str:
    with pytest.raises(GitopsdError) as raised:
        opened(data, keys, path, verify=verify)
    assert path in str(raised.value)
    assert PASSWORD.decode() not in str(raised.value)
    return str(raised.value)


def only(keys: Sequence[Keys], *names: str) -> tuple[Keys, ...]:
    return (Keys(place=keys[0].place, values={name: keys[0].values[name] for name in names}),)


def other_letter(found: re.Match[bytes]) -> bytes:
    return found[1] + (b"A" if found[2] != b"A" else b"B")


def test_a_tampered_value_is_named_by_its_place(sealed: Files, keys: Sequence[Keys]) -> None:
    data = re.sub(rb"(password: ENC\[AES256_GCM,data:)(.)", other_letter, sealed["age.yaml"])
    assert "stringData.password was changed" in refused(data, keys)


def test_a_value_that_was_moved_is_refused(sealed: Files, keys: Sequence[Keys]) -> None:
    data = sealed["age.yaml"].replace(b"    password: ENC", b"    passport: ENC")
    assert "stringData.passport was changed, moved" in refused(data, keys)


def test_a_plain_value_where_an_encrypted_one_is_due_is_named(sealed: Files, keys: Sequence[Keys]) -> None:
    data = sealed["age.yaml"].replace(b"stringData:\n", b"stringData:\n    added: plain\n")
    assert "stringData.added is not a value that SOPS encrypted" in refused(data, keys)


def test_a_change_beside_the_encrypted_values_breaks_the_code_over_all(sealed: Files, keys: Sequence[Keys]) -> None:
    data = sealed["age.yaml"].replace(b"name: demo", b"name: other")
    message = refused(data, keys)
    assert "mac" in message
    assert "gitopsd.io/sops-mac" in message


def test_the_code_can_be_left_unread_as_flux_does(sealed: Files, keys: Sequence[Keys]) -> None:
    data = sealed["age.yaml"].replace(b"name: demo", b"name: other")
    assert b"name: other" in opened(data, keys, verify=False)


def test_a_tampered_code_is_told_from_one_that_does_not_fit(sealed: Files, keys: Sequence[Keys]) -> None:
    data = re.sub(rb"(mac: ENC\[AES256_GCM,data:)(.)", other_letter, sealed["age.yaml"])
    assert "(mac) was changed" in refused(data, keys)


def test_a_code_that_covers_encrypted_values_only_lets_others_change(sealed: Files, keys: Sequence[Keys]) -> None:
    data = sealed["mac-only-encrypted.yaml"].replace(b"name: demo", b"name: other")
    assert b"name: other" in opened(data, keys)


def test_the_wrong_key_is_named_with_the_recipient(sealed: Files, keys: Sequence[Keys]) -> None:
    message = refused(sealed["age.yaml"], only(keys, "second.agekey"))
    assert re.search(r"no key opens it: age age1\w+: Secret/apps/sops-keys\[second\.agekey\] does not open it", message)


def test_a_missing_key_is_said_with_the_secrets_that_were_looked_at(sealed: Files, keys: Sequence[Keys]) -> None:
    assert "there is no age key in Secret/apps/sops-keys" in refused(sealed["age.yaml"], only(keys, "rsa.asc"))
    assert re.search(
        r"pgp [0-9A-F]{40}: there is no OpenPGP key in", refused(sealed["pgp-rsa.yaml"], only(keys, "identity.agekey"))
    )


def test_the_wrong_openpgp_key_is_named(sealed: Files, keys: Sequence[Keys]) -> None:
    assert "[ecc.asc] does not open it" in refused(sealed["pgp-rsa.yaml"], only(keys, "ecc.asc"))


def test_too_few_key_groups_are_counted(sealed: Files, keys: Sequence[Keys]) -> None:
    message = refused(sealed["shamir.yaml"], only(keys, "identity.agekey"))
    assert "2 of its 3 key groups are needed, 1 could be opened" in message


@pytest.mark.parametrize(
    "names", [("identity.agekey", "second.agekey"), ("second.agekey", "rsa.asc"), ("third.agekey", "identity.agekey")]
)
def test_any_two_of_three_key_groups_are_enough(sealed: Files, keys: Sequence[Keys], names: tuple[str, ...]) -> None:
    assert PASSWORD in opened(sealed["shamir.yaml"], only(keys, *names))


def test_a_file_without_its_metadata_is_refused_and_not_taken_for_plain(sealed: Files, keys: Sequence[Keys]) -> None:
    data = sealed["age.yaml"].partition(b"sops:\n")[0]
    assert SopsDecryptor().seals("app/secret.yaml", data)
    assert "was it cut off?" in refused(data, keys)


def test_a_document_that_asks_for_it_stays_as_it_is(sealed: Files, keys: Sequence[Keys]) -> None:
    mark = b"    annotations:\n        kustomize.toolkit.fluxcd.io/decrypt: Disabled\n"
    data = sealed["age.yaml"].replace(b"metadata:\n", b"metadata:\n" + mark)
    left = opened(data, keys)
    assert b"ENC[AES256_GCM" in left
    assert b"sops:" in left


def test_only_the_encrypted_documents_of_a_file_are_opened(sealed: Files, keys: Sequence[Keys]) -> None:
    data = b"kind: ConfigMap\n---\n" + sealed["age.yaml"]
    assert opened(data, keys).startswith(b"kind: ConfigMap\n---\napiVersion: v1\nkind: Secret\n")
    assert PASSWORD in opened(data, keys)


def test_what_names_an_object_is_no_secret(sealed: Files, keys: Sequence[Keys]) -> None:
    found = SopsDecryptor().open("a.yaml", sealed["ssh-rsa.yaml"], keys, Answers(), verify=True)
    assert found.values == {PASSWORD.decode()}


def test_a_key_that_is_none_is_named_with_its_line(sealed: Files, keys: Sequence[Keys]) -> None:
    wrong = (Keys(place="Secret/a/b", values={"x.agekey": b"# mine\nAGE-SECRET-KEY-1NONSENSE\n"}),)
    message = refused(sealed["age.yaml"], wrong)
    assert "Secret/a/b[x.agekey]: line 2 is no age identity" in message
    assert "NONSENSE" not in message


def test_a_public_openpgp_key_is_not_enough(sealed: Files, keys: Sequence[Keys]) -> None:
    import pysequoia

    public = str(pysequoia.Tsk.from_bytes(keys[0].values["rsa.asc"]).extract_certificate()).encode()
    wrong = (Keys(place="Secret/a/b", values={"x.asc": public}),)
    assert "holds no private key" in refused(sealed["pgp-rsa.yaml"], wrong)


@pytest.mark.parametrize(
    ("name", "library", "extra"), [("age.yaml", "pyrage", "sops"), ("pgp-rsa.yaml", "pysequoia", "pgp")]
)
def test_a_missing_library_is_named_with_its_extra(
    sealed: Files, keys: Sequence[Keys], monkeypatch: pytest.MonkeyPatch, name: str, library: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(Misconfigured, match=rf"app/secret.yaml: .* need the extra \[{extra}\]"):
        opened(sealed[name], keys)


def test_a_library_that_no_key_needs_may_be_missing(
    sealed: Files, keys: Sequence[Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    assert PASSWORD in opened(sealed["pgp-rsa.yaml"], only(keys, "rsa.asc"))
    assert "there is no age key" in refused(sealed["age.yaml"], only(keys, "rsa.asc"))


def test_a_post_quantum_identity_is_named_as_such(sealed: Files) -> None:
    wrong = (Keys(place="Secret/a/b", values={"x.agekey": b"AGE-SECRET-KEY-PQ-1QQQ\n"}),)
    assert "Secret/a/b[x.agekey]: line 1 is a post-quantum identity" in refused(sealed["age.yaml"], wrong)


def test_an_empty_key_opens_nothing(sealed: Files) -> None:
    empty = (Keys(place="Secret/a/b", values={"x.agekey": b"# nothing\n"}),)
    assert "Secret/a/b[x.agekey] does not open it" in refused(sealed["age.yaml"], empty)


def locked(data: bytes, keys: Sequence[Keys] = ()) -> Lock:
    with pytest.raises(Locked) as raised:
        opened(data, keys)
    (lock,) = raised.value.locks
    return lock


def test_a_service_is_asked_before_anything_is_refused(keys: Sequence[Keys]) -> None:
    lock = locked(_with_vault(), keys)
    assert (lock.sort, lock.fields["key_name"]) == ("hc_vault", "main")


def test_what_a_service_says_stands_beside_the_key_and_the_file() -> None:
    data = _with_vault()
    answers = Answers(refused={locked(data).id: "permission denied"})
    with pytest.raises(Rejected, match=r"app/secret.yaml: no key opens it: hc_vault main: permission denied"):
        SopsDecryptor().open("app/secret.yaml", data, (), answers, verify=True)


def test_other_keys_of_the_file_are_said_too(sealed: Files, keys: Sequence[Keys]) -> None:
    mine = re.search(rb"    age:\n(?:        .*\n)+", sealed["age.yaml"])
    assert mine is not None
    data = sealed["age.yaml"].replace(mine[0], mine[0] + _VAULT.replace(b"  hc", b"    hc").replace(b"  -", b"      -"))
    answers = Answers(refused={locked(data, only(keys, "second.agekey")).id: "permission denied"})
    with pytest.raises(Rejected, match=r"\[second.agekey\] does not open it; hc_vault main: permission denied"):
        SopsDecryptor().open("a.yaml", data, only(keys, "second.agekey"), answers, verify=True)
    assert PASSWORD in opened(data, keys)


def test_every_sort_of_service_that_sops_knows_becomes_a_lock() -> None:
    data = _with_vault().replace(b"hc_vault", b"hckms").replace(b"key_name", b"key_id")
    assert locked(data).sort == "hckms"


def test_a_file_that_is_too_large_is_refused(sealed: Files, keys: Sequence[Keys]) -> None:
    assert "may have" in refused(sealed["age.yaml"] + b"#" * MAX_FILE, keys)


def test_every_byte_counts(sealed: Files, keys: Sequence[Keys]) -> None:
    """Whatever is changed in an encrypted value: either it is refused, or nothing of it is different."""
    data = sealed["age.yaml"]
    begin, end = data.index(b"ENC["), data.index(b"sops:")
    for at in range(begin, end):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            found = opened(changed, keys)
        except Rejected:
            continue
        assert PASSWORD in found
        assert b"count: 5" in found


def test_half_a_surrogate_pair_and_bytes_that_are_no_text_break_nothing(keys: Sequence[Keys], sealed: Files) -> None:
    data = sealed["values.json"].replace(b'"sops":', b'"odd_unencrypted": "\\ud800", "sops":')
    assert "mac" in refused(data, keys, "a.json")
    assert b"odd_unencrypted" in opened(data, keys, "a.json", verify=False)
    message = refused(
        sealed["values.env"].replace(b"sops_age__list_0__map_enc=", b"sops_age__list_0__map_enc=\xff"), keys, "a.env"
    )
    assert message.encode()


_VAULT = b"  hc_vault:\n  - {vault_address: 'https://vault.example', engine_path: transit, key_name: main, enc: 'vault:v1:x'}\n"


def _with_vault() -> bytes:
    return (
        b"a: ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]\nsops:\n"
        + _VAULT
        + b"  lastmodified: '2026-01-01T00:00:00Z'\n  mac: ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]\n"
    )
