"""`gitopsd sops check` says which key opens which file, and prints nothing of what is in it."""

from __future__ import annotations

import shutil
from pathlib import Path

from click.testing import CliRunner, Result

from gitopsd_plugins.sops.command import sops

DATA = Path(__file__).parents[2] / "data" / "sops"
PASSWORD = "correct-horse-battery"


def check(*arguments: str) -> Result:
    return CliRunner().invoke(sops, ["check", *arguments])


def test_every_encrypted_file_is_listed_with_the_keys_that_open_it(tmp_path: Path) -> None:
    for name in ("age.yaml", "pgp-rsa.yaml", "noise.bin"):
        shutil.copy(DATA / "sealed" / name, tmp_path / name)
    (tmp_path / "plain.yaml").write_text("a: 1\n")
    result = check(str(tmp_path), "--keys", str(DATA / "keys"))
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("✔ age.yaml (yaml): age age1")
    assert lines[0].endswith("keys[identity.agekey]")
    assert lines[1].startswith("✔ noise.bin (binary): age ")
    assert lines[2].startswith("✔ pgp-rsa.yaml (yaml): pgp ")
    assert lines[2].endswith("keys[rsa.asc]")
    assert lines[3] == "3 encrypted files, 0 of them cannot be opened"


def test_what_cannot_be_opened_says_why_and_ends_with_1(tmp_path: Path) -> None:
    data = (DATA / "sealed" / "age.yaml").read_text()
    (tmp_path / "changed.yaml").write_text(data.replace("name: demo", "name: other"))
    (tmp_path / "closed.yaml").write_text((DATA / "sealed" / "pgp-rsa.yaml").read_text())
    result = check(str(tmp_path), "--keys", str(DATA / "keys" / "identity.agekey"))
    assert result.exit_code == 1
    assert "✗ changed.yaml (yaml): its code over all values (mac) does not fit" in result.output
    assert "✗ closed.yaml (yaml): no key opens it: pgp " in result.output
    assert check(str(tmp_path), "--keys", str(DATA / "keys"), "--no-verify-mac").exit_code == 0


def test_what_a_service_keeps_is_named_and_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "a: ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]\nsops:\n  hc_vault:\n"
        "  - {vault_address: 'http://127.0.0.1:1', engine_path: transit, key_name: main, enc: 'vault:v1:x'}\n"
        "  lastmodified: '2026-01-01T00:00:00Z'\n  mac: ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]\n"
    )
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "sops.vault-token").write_text("s.token")
    result = check(str(tmp_path), "--keys", str(tmp_path / "keys"))
    assert result.output.splitlines()[0] == "? a.yaml (yaml): kept by hc_vault main"


def test_nothing_of_content_or_keys_is_printed() -> None:
    for keys in (["--keys", str(DATA / "keys")], []):
        result = check(str(DATA / "sealed"), *keys)
        identity = (DATA / "keys" / "identity.agekey").read_text().splitlines()[-1]
        assert PASSWORD not in result.output
        assert identity not in result.output
        assert "PRIVATE KEY" not in result.output
