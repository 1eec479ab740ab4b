"""With the real sops, where it is found: what it encrypts now opens to what it was, and what tests make it takes too."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from fakes import sops_file

from gitopsd.plugin import Answers, Keys
from gitopsd_plugins.sops.decryptor import SopsDecryptor

SOPS = shutil.which("sops")
DATA = Path(__file__).parents[2] / "data" / "sops"
IDENTITY = DATA / "keys" / "identity.agekey"
RECIPIENT = "age1gzdndxjf3szmnjh9c2vrdp0fa8tpz7cvmuwfrmvfs0zqywd7jpcqhgtykh"
KEYS = (Keys(place="Secret/apps/sops", values={"age.agekey": IDENTITY.read_bytes()}),)

pytestmark = pytest.mark.skipif(SOPS is None, reason="sops is not installed")

# Left out is what docs/secrets.md names as spelled in another way.
WORDS = (
    "plain", "yes", "null", "~", "0x1f", "1e3", "12:30", "2024-01-02", "a: b", "#x", " lead", "trail ", "", "it's", '"q"', "ü€",
    "line1\nline2", "line1\nline2\n", "a\tb", "- x", "{a}", "%", "@", "x\n\ny\n\n\n", "  in\n out", "ENC[", "x " * 60,
)  # fmt: skip
NUMBERS = (0, 1, -5, 2**53, 1.5, 1e21, 1e-7, 123456789.125, 1e6, 0.0001, True, False, None)


def run(*arguments: str, folder: Path, **environment: str) -> bytes:
    assert SOPS is not None
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), "SOPS_AGE_KEY_FILE": str(IDENTITY), **environment}
    done = subprocess.run([SOPS, *arguments], cwd=folder, env=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def made(choice: random.Random, depth: int = 0) -> object:
    """A value of any shape."""
    if depth < 3 and choice.random() < 0.5:
        if choice.random() < 0.6:
            return {f"k{n}": made(choice, depth + 1) for n in range(choice.randint(0, 4))}
        return [made(choice, depth + 1) for _ in range(choice.randint(0, 4))]
    return choice.choice((*WORDS, *NUMBERS))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_values_of_any_shape_come_back_byte_for_byte(tmp_path: Path, seed: int, form: str) -> None:
    choice = random.Random(seed)
    value = {f"k{n}": made(choice) for n in range(5)}
    (tmp_path / "a.json").write_text(json.dumps(value))
    arguments = ("--input-type", "json", "--output-type", form, "--age", RECIPIENT)
    regex = ("--encrypted-regex", "^k[0-2]$") if seed % 2 else ()
    sealed = run("encrypt", *arguments, *regex, "a.json", folder=tmp_path)
    (tmp_path / f"s.{form}").write_bytes(sealed)
    wanted = run("decrypt", f"s.{form}", folder=tmp_path)
    assert SopsDecryptor().open(f"s.{form}", sealed, KEYS, Answers(), verify=True).data == wanted


@pytest.mark.parametrize("form", ["dotenv", "ini", "binary"])
def test_flat_formats_come_back_byte_for_byte(tmp_path: Path, form: str) -> None:
    lines = {f"k{n}": word.strip() for n, word in enumerate(WORDS) if "\n" not in word and "\u2028" not in word}
    text = "".join(f"{key}={value}\n" for key, value in lines.items())
    if form == "ini":
        text = f'[one]\n; comment\nx = 1\nlonger=`a;b`\n[two]\ny="""m\nn"""\n{chr(10).join(f"{k} = {v}" for k, v in lines.items() if v.isalnum())}\n'
    content = bytes(range(256)) * 3 if form == "binary" else text.encode()
    (tmp_path / "plain").write_bytes(content)
    arguments = ("--input-type", form, "--output-type", "json" if form == "binary" else form, "--age", RECIPIENT)
    sealed = run("encrypt", *arguments, "plain", folder=tmp_path)
    (tmp_path / "sealed").write_bytes(sealed)
    wanted = run(
        "decrypt",
        "--input-type",
        "json" if form == "binary" else form,
        "--output-type",
        form,
        "sealed",
        folder=tmp_path,
    )
    assert SopsDecryptor().open("sealed", sealed, KEYS, Answers(), verify=True).data == wanted


def test_files_that_tests_make_are_files_that_sops_takes(tmp_path: Path) -> None:
    document = {"kind": "Secret", "stringData": {"a": "correct-horse-battery"}}
    (tmp_path / "a.yaml").write_text(sops_file.for_age(document, RECIPIENT))
    assert b"correct-horse-battery" in run("decrypt", "a.yaml", folder=tmp_path)
