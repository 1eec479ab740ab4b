"""Secrets in plain text are named with file and line, and never with a value; what is none is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitopsd.cli import plain_secrets
from gitopsd.plugin import Tree
from gitopsd.plugin.folder import LocalFolder

HEAD = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\n"


def warnings(folder: Path, **files: str) -> list[str]:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    source = LocalFolder(folder)
    return list(plain_secrets.warnings(Tree(source, source.root)))


def test_a_secret_with_values_is_named_with_its_place(tmp_path: Path) -> None:
    (found,) = warnings(tmp_path, one=f"kind: ConfigMap\n---\n{HEAD}stringData: {{x: hunter2}}\n")
    assert found.startswith("one.yaml:3: Secret/b/a holds values in plain text")
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        f"{HEAD}data: {{}}\n",
        f"{HEAD}stringData: {{x: ''}}\n",
        f"{HEAD}stringData: {{x: '${{PASSWORD}}'}}\n",
        f"{HEAD}stringData: {{x: 'ENC[AES256_GCM,data:x]'}}\nsops: {{mac: x}}\n",
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a}\nspec: {encryptedData: {x: y}}\n",
        f"{HEAD}data: [",
    ],
)
def test_what_is_empty_encrypted_or_filled_in_later_is_none(tmp_path: Path, text: str) -> None:
    assert warnings(tmp_path, one=text) == []


def test_many_are_counted(tmp_path: Path) -> None:
    found = warnings(tmp_path, one="---\n".join([f"{HEAD}stringData: {{x: y}}\n"] * 25))
    assert len(found) == plain_secrets.MOST + 1
    assert found[-1] == "and 5 more Secrets with values in plain text"


def test_check_warns_of_them(project) -> None:  # type: ignore[no-untyped-def]
    there = HEAD.replace("namespace: b", "namespace: default")
    project.commit({"web/secret.yaml": f"{there}stringData: {{x: correct-horse-battery}}\n"})
    said = project.call("check", "--sandbox").stdout
    assert "! GitRepository/flux-system/repo: web/secret.yaml:1: Secret/default/a holds values in plain text" in said
    assert "correct-horse-battery" not in said
