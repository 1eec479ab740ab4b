"""Each piece of advice: an example that fails, with the line that it is about, and one that passes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gitopsd.cli import advising
from gitopsd.config import chosen as choice
from gitopsd.config import documents
from gitopsd.config.advice import removed, table
from gitopsd.config.advice.evidence import Advice, Evidence
from gitopsd.config.chosen import Chosen
from gitopsd.plugin import ObjectRef, ResourceId

SOURCE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: repo
spec:
  url: https://github.com/o/r
  interval: 5m
---
"""
APP = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: NAME
spec:
  interval: 10m
  path: ./NAME
  prune: true
  wait: true
  sourceRef: {kind: GitRepository, name: repo}
---
"""
CLUSTERS = "".join(
    f"apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {{name: {name}}}\nspec: {{sandbox: {{}}}}\n---\n"
    for name in ("one", "two")
)


def app(name: str = "web", *, on: str = "", **changes: str) -> str:
    """A Kustomization; `changes` replace whole lines of its spec, '' removes one."""
    text = APP.replace("NAME", name)
    for field, value in changes.items():
        line = next((it for it in text.splitlines() if it.startswith(f"  {field}:")), None)
        new = f"  {field}: {value}\n" if value else ""
        text = text.replace(f"{line}\n", new) if line else text.replace("spec:\n", f"spec:\n{new}")
    return text.replace("metadata:\n", f"metadata:\n  annotations: {{gitopsd.io/cluster: {on}}}\n") if on else text


Rendered = Mapping[str, Mapping[str, str]]
"""Names of apps -> `group/Kind/name` -> version."""


def evidence(folder: Path, text: str, rendered: Rendered) -> tuple[Evidence, Path]:
    file = folder / "config.yaml"
    file.write_text(text)
    loaded = choice.load(Chosen(paths=(file,), environment={"HOME": str(folder)}, here=folder))
    found = Evidence(
        objects=loaded.declared.objects,
        intents=loaded.declared.intents,
        newest=advising.newest(loaded.registry),
        rendered={_app(name): {_id(id): version for id, version in ids.items()} for name, ids in rendered.items()},
    )
    return found, file


def _app(name: str) -> ObjectRef:
    return ObjectRef(kind="Kustomization", namespace="flux-system", name=name)


def _id(text: str) -> ResourceId:
    group, kind, name = text.split("/")
    return ResourceId(group=group, kind=kind, namespace="default", name=name)


def line(advice: Advice, file: Path) -> int:
    written = next(d for layer in documents.gather([file]).layers for d in layer if d.identity.ref == advice.ref)
    return written.at(advice.path).line


FAILING: list[tuple[str, str, Rendered, str, str]] = [
    ("prune-off", SOURCE + app(prune="false"), {}, "prune: false", "set spec.prune: true"),
    ("slow-source", SOURCE.replace("5m", "15m"), {}, "interval: 15m", "a commit is seen after up to 15m"),
    ("no-health", SOURCE + app(wait=""), {}, "spec:", "set spec.wait: true"),
    (
        "dependency-without-health",
        SOURCE + app("infra", wait="false") + app("web", dependsOn="[{name: infra}]"),
        {},
        "dependsOn: [{name: infra}]",
        "counts as ready before it runs",
    ),
    (
        "same-place",
        CLUSTERS + SOURCE + app("dev", on="one", path="./apps") + app("prod", on="two", path="apps/"),
        {},
        "path: apps/",
        "reads the same path of the same revision as Kustomization/flux-system/dev",
    ),
    ("owns-nothing", SOURCE + app(), {"web": {}}, "path: ./web", "renders no object at all"),
    ("long-name", SOURCE + app("a" * 64), {}, f"name: {'a' * 64}", "the name has 64 characters"),
    (
        "old-version",
        SOURCE + app().replace("fluxcd.io/v1", "fluxcd.io/v1beta2"),
        {},
        "apiVersion: kustomize.toolkit.fluxcd.io/v1beta2",
        "use kustomize.toolkit.fluxcd.io/v1",
    ),
    (
        "removed-version",
        SOURCE + app(),
        {"web": {"networking.k8s.io/Ingress/a": "v1beta1"}},
        "path: ./web",
        "renders Ingress/default/a as networking.k8s.io/v1beta1; use networking.k8s.io/v1 (gone since 1.22)",
    ),
    (
        "claimed-twice",
        SOURCE + app("a") + app("b"),
        {"a": {"/ConfigMap/x": "v1"}, "b": {"/ConfigMap/x": "v1"}},
        "path: ./b",
        "wants ConfigMap/default/x, which Kustomization/flux-system/a wants, too",
    ),
]
PASSING: list[tuple[str, str, Rendered]] = [
    ("prune-off", SOURCE + app(), {}),
    ("slow-source", SOURCE.replace("5m", "10m"), {}),
    ("no-health", SOURCE + app(), {}),
    ("no-health", SOURCE + app(wait="", healthChecks="[{apiVersion: v1, kind: Pod, name: a, namespace: b}]"), {}),
    ("dependency-without-health", SOURCE + app("infra") + app("web", dependsOn="[{name: infra}]"), {}),
    (
        "dependency-without-health",
        SOURCE + app("infra", wait="false") + app("web", dependsOn="[{name: infra, readyExpr: 'true'}]"),
        {},
    ),
    ("same-place", CLUSTERS + SOURCE + app("dev", on="one", path="./dev") + app("prod", on="two", path="./prod"), {}),
    (
        "same-place",
        CLUSTERS
        + SOURCE
        + SOURCE.replace("name: repo", "name: next").replace("spec:\n", "spec:\n  ref: {branch: next}\n")
        + app("dev", on="one", path="./apps", sourceRef="{kind: GitRepository, name: next}")
        + app("prod", on="two", path="./apps"),
        {},
    ),
    ("owns-nothing", SOURCE + app(), {"web": {"/ConfigMap/x": "v1"}}),
    ("owns-nothing", SOURCE + app(), {}),
    ("long-name", SOURCE + app("a" * 63), {}),
    ("old-version", SOURCE + app(), {}),
    (
        "removed-version",
        SOURCE + app(),
        {"web": {"networking.k8s.io/Ingress/a": "v1", "example.org/Ingress/b": "v1beta1"}},
    ),
    ("claimed-twice", SOURCE + app("a") + app("b"), {"a": {"/ConfigMap/x": "v1"}, "b": {"/ConfigMap/y": "v1"}}),
    (
        "claimed-twice",
        CLUSTERS + SOURCE + app("a", on="one") + app("b", on="two"),
        {"a": {"/ConfigMap/x": "v1"}, "b": {"/ConfigMap/x": "v1"}},
    ),
]


@pytest.mark.parametrize(("name", "text", "rendered", "at", "message"), FAILING, ids=[row[0] for row in FAILING])
def test_what_will_be_regretted_is_said_at_its_line(
    tmp_path: Path, name: str, text: str, rendered: Rendered, at: str, message: str
) -> None:
    found, file = evidence(tmp_path, text, rendered)
    [advice] = table.TABLE[name](found)
    assert message in advice.message
    assert file.read_text().splitlines()[line(advice, file) - 1].strip() == at


@pytest.mark.parametrize(("name", "text", "rendered"), PASSING)
def test_what_is_well_is_not_mentioned(tmp_path: Path, name: str, text: str, rendered: Rendered) -> None:
    found, _ = evidence(tmp_path, text, rendered)
    assert list(table.TABLE[name](found)) == []


def test_every_advice_of_the_table_has_both_examples() -> None:
    assert {row[0] for row in FAILING} == {row[0] for row in PASSING} == set(table.TABLE)


def test_every_advice_bears_its_name_in_the_table(tmp_path: Path) -> None:
    for name, text, rendered, *_ in FAILING:
        found, _ = evidence(tmp_path, text, rendered)
        assert {advice.name for advice in table.TABLE[name](found)} == {name}


def test_many_of_one_kind_are_said_in_few_lines(tmp_path: Path) -> None:
    ids = {f"batch/CronJob/{number}": "v1beta1" for number in range(9)}
    found, _ = evidence(tmp_path, SOURCE + app(), {"web": ids})
    advice = list(table.TABLE["removed-version"](found))
    assert len(advice) == 3
    assert advice[-1].message.endswith("and 6 more like it")


def test_a_version_of_one_kind_says_nothing_about_others() -> None:
    assert removed.instead("storage.k8s.io", "v1beta1", "VolumeAttributesClass") == ""
    assert removed.instead("apps", "v1beta1", "Deployment").startswith("apps/v1")


def test_every_advice_is_explained() -> None:
    page = Path(__file__).parents[3] / "docs" / "configuration.md"
    assert [name for name in table.TABLE if f"| `{name}` |" not in page.read_text("utf-8")] == []
