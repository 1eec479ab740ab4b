"""`gitopsd sops check`: which files of a folder can be decrypted with which key. It prints names, never content."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from gitopsd.plugin import GitopsdError, Keys
from gitopsd_plugins.sops import survey
from gitopsd_plugins.sops.decryptor import MAX_FILE
from gitopsd_plugins.sops.survey import Finding

_LEFT_OUT = frozenset({".git", ".venv", "node_modules"})
MAX_KEY = 1 << 20


@click.group()
def sops() -> None:
    """Look after files that are encrypted with SOPS."""


@sops.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--keys",
    "places",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A key file, or a folder of key files with Flux's names (NAME.agekey, NAME.asc); may be repeated.",
)
@click.option("--verify-mac/--no-verify-mac", default=True, show_default=True, help="Refuse what was changed since.")
def check(folder: Path, places: tuple[Path, ...], *, verify_mac: bool) -> None:
    """Say of every encrypted file in DIR which of the keys opens it. Nothing of the content is printed.

    Services that keep keys (Vault, clouds) are named and not asked. Exit code 1: a file cannot be opened.

    \b
    Examples:
      gitopsd sops check clusters/production --keys secrets.d/sops-age
      gitopsd sops check . --keys age.agekey --keys pgp.asc
    """
    try:
        keys = [found for place in places for found in _keys(place)]
        findings = [found for file in _files(folder) if (found := _finding(file, folder, keys, verify=verify_mac))]
    except (OSError, GitopsdError) as error:
        raise click.ClickException(str(error)) from error
    for finding in findings:
        click.echo(_line(finding))
    bad = sum(bool(finding.problem) for finding in findings)
    click.echo(f"{len(findings)} encrypted files, {bad} of them cannot be opened")
    sys.exit(1 if bad else 0)


def _keys(place: Path) -> Iterator[Keys]:
    files = sorted(file for file in place.iterdir() if file.is_file()) if place.is_dir() else [place]
    values = {file.name: file.read_bytes() for file in files if file.stat().st_size <= MAX_KEY}
    yield Keys(place=str(place if place.is_dir() else place.parent), values=values)


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        for name in sorted(files):
            file = Path(root, name)
            if not file.is_symlink() and file.is_file() and file.stat().st_size <= MAX_FILE:
                yield file


def _finding(file: Path, folder: Path, keys: Sequence[Keys], *, verify: bool) -> Finding | None:
    return survey.of(file.relative_to(folder).as_posix(), file.read_bytes(), keys, verify=verify)


def _line(finding: Finding) -> str:
    opened = "; ".join(f"{master} by {place}" for master, place in finding.openers)
    asked = f"kept by {', '.join(finding.asked)}" if finding.asked else ""
    if finding.problem:
        return f"✗ {finding.path} ({finding.form}): {finding.problem}"
    return f"{'✔' if opened else '?'} {finding.path} ({finding.form}): {'; '.join(filter(None, (opened, asked)))}"
