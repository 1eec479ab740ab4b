"""Flux's own cases of selectors, of kinds in an annotation, of common metadata, and of what is no object."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fakes import cases

from gitopsd.plugin import Declared, Digest, ObjectRef, Place, Rejected, Rendered, ResourceId, Tree, keys
from gitopsd_plugins.kustomize.app import ignored, policy
from gitopsd_plugins.kustomize.app.spec import Ignored
from gitopsd_plugins.kustomize.files.kustomization import Target
from gitopsd_plugins.kustomize.kind import KustomizationKind
from gitopsd_plugins.kustomize.renderer import KustomizeRenderer

FIELD = "/spec/replicas"


@pytest.mark.parametrize("case", cases.flux("ssa_jsondiff", only="TestSelectorRegex_"))
def test_selectors(case: dict[str, Any]) -> None:
    """Through the rules of spec.ignore, whose targets they are."""
    rules = ignored.rules([Ignored(paths=(FIELD,), target=_target(case["selector"]))])
    found = ignored.paths(rules, *_object(case))
    assert found == ((FIELD,) if case.get("want") else ())


def _target(selector: Mapping[str, str] | None) -> Target | None:
    if selector is None:
        return None
    return Target(**{re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower(): value for name, value in selector.items()})


def _object(case: Mapping[str, Any]) -> tuple[ResourceId, dict[str, Any]]:
    body = case.get("u")
    if body is None:
        metadata = {"name": case.get("n", ""), "namespace": case.get("ns", "")}
        metadata |= {part: case[part] for part in ("labels", "annotations") if part in case}
        api_version = "/".join(case[part] for part in ("group", "version") if part in case)
        body = {"apiVersion": api_version, "kind": case.get("kind", ""), "metadata": metadata}
    metadata = body.get("metadata", {})
    return ResourceId(
        group=body.get("apiVersion", "").rpartition("/")[0],
        kind=body.get("kind", ""),
        namespace=metadata.get("namespace", ""),
        name=metadata.get("name", ""),
    ), body


@pytest.mark.parametrize("case", cases.flux("ssa_misc", only="utils/meta_test.go:TestParseGroupKindSet/"))
def test_kinds_of_a_stage_of_their_own(case: dict[str, Any]) -> None:
    wanted = {re.fullmatch(r"\{'Group': '(.*)', 'Kind': '(.*)'\}", kind).groups() for kind in case["expected"]}
    assert policy.read({keys.STAGE_KINDS: case["input"]}).stage_kinds == wanted


@pytest.mark.parametrize("case", cases.flux("ssa_misc", only="utils/meta_test.go:TestSetCommonMetadata/"))
def test_common_metadata(case: dict[str, Any], tree: Callable[..., Tree]) -> None:
    """Beside what is there already, and before it."""
    said = {"labels": case["labels"], "annotations": case["annotations"]}
    intent = KustomizationKind().read(_declared(commonMetadata=said))
    if intent.unsupported:
        pytest.skip(f"{', '.join(intent.unsupported)}: not served yet")
    [manifest] = KustomizeRenderer().render(tree({"a.yaml": case["resources"]}), intent.spec).manifests
    metadata = manifest.body["metadata"]
    assert {part: metadata[part] for part in said} == said


def _declared(**spec: Any) -> Declared:
    ref = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
    needed = {"interval": "10m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "repo"}}
    document = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "spec": {**needed, **spec},
    }
    return Declared(ref=ref, document=document, place=Place(file="x.yaml"), spec=Digest(""))


@pytest.mark.parametrize("case", cases.flux("ssa_misc", only="utils/object_test.go:TestReadObjects_DropsInvalid/"))
def test_what_is_no_object(case: dict[str, Any], rendered: Callable[..., Rendered]) -> None:
    """Flux drops it in silence; we refuse the render, as an object with a slip in it would be pruned else."""
    files = {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": case["resources"]}
    if case["name"].endswith("/some invalid resources"):
        with pytest.raises(Rejected, match=r"a\.yaml.*apiVersion is missing"):
            rendered(files)
    else:
        assert len(rendered(files).manifests) == case["expected"]
