"""Flux's rules around a build: the made-up kustomization, the overlay of the spec, what is refused."""

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from gitopsd.plugin import Rejected, Renderer
from gitopsd.plugin.conformance.renderer import RendererConformance
from gitopsd_plugins.kustomize.renderer import KustomizeRenderer

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers: [{name: web, image: "example.com/web:v1"}]
"""


class TestConformance(RendererConformance):
    renderer: ClassVar[type[Renderer]] = KustomizeRenderer
    files: ClassVar[Mapping[str, bytes]] = {
        "app/kustomization.yaml": b"resources: [web.yaml]\nconfigMapGenerator:\n- {name: c, files: [c.txt]}\n",
        "app/web.yaml": DEPLOYMENT.encode(),
        "app/c.txt": b"content",
    }
    spec: ClassVar[Mapping[str, Any]] = {"path": "./app", "targetNamespace": "prod"}


def names(result):
    return [str(m.id) for m in result.manifests]


def test_a_folder_without_kustomization_renders_every_yaml_file_in_it(rendered):
    files = {"a/one.yaml": CONFIG.format("one"), "a/deep/two.yml": CONFIG.format("two"), "a/notes.txt": "not yaml"}
    assert names(rendered(files, path="a")) == ["ConfigMap/one", "ConfigMap/two"]


def test_a_folder_below_with_its_own_kustomization_is_taken_as_a_whole(rendered):
    files = {
        "top.yaml": CONFIG.format("top"),
        "sub/kustomization.yaml": "namePrefix: sub-\nresources: [one.yaml]\n",
        "sub/one.yaml": CONFIG.format("one"),
        "sub/unlisted.yaml": CONFIG.format("unlisted"),
    }
    assert names(rendered(files)) == ["ConfigMap/sub-one", "ConfigMap/top"]


def test_a_file_without_objects_is_refused_with_its_name_and_the_remedy(rendered):
    with pytest.raises(Rejected, match=r"values\.yaml:1: kind is missing.*sourceignore"):
        rendered({"values.yaml": "replicas: 3\n"})


def test_an_empty_folder_renders_to_nothing(rendered, tmp_path):
    (tmp_path / "tree" / "empty").mkdir(parents=True)
    assert rendered({}, path="./empty").manifests == ()


def test_a_path_that_is_not_there_is_a_failure_of_the_artifact(rendered):
    with pytest.raises(Rejected, match="nowhere") as caught:
        rendered({"a.yaml": CONFIG.format("a")}, path="nowhere")
    assert caught.value.reason == "ArtifactFailed"


def test_a_path_cannot_leave_the_artifact(rendered):
    with pytest.raises(Rejected, match="leaves the tree"):
        rendered({"a.yaml": CONFIG.format("a")}, path="../../etc")


def test_files_outside_of_the_folder_are_read_because_the_artifact_is_the_root(rendered):
    files = {
        "app/kustomization.yaml": "resources: [../shared/one.yaml]\n",
        "shared/one.yaml": CONFIG.format("one"),
    }
    assert names(rendered(files, path="app")) == ["ConfigMap/one"]


def test_the_spec_is_laid_over_the_kustomization(rendered):
    files = {
        "kustomization.yaml": "namespace: ignored\nresources: [web.yaml]\nimages: [{name: example.com/web, newTag: v2}]\n",
        "web.yaml": DEPLOYMENT,
    }
    patch = "- {op: add, path: /spec/replicas, value: 3}"
    result = rendered(
        files,
        targetNamespace="prod",
        namePrefix="p-",
        nameSuffix="-s",
        images=[{"name": "example.com/web", "newName": "mirror/web"}],
        patches=[{"patch": patch, "target": {"kind": "Deployment"}}],
    )
    (manifest,) = result.manifests
    assert str(manifest.id) == "Deployment/prod/p-web-s"
    assert manifest.body["spec"]["replicas"] == 3
    assert manifest.body["spec"]["template"]["spec"]["containers"][0]["image"] == "mirror/web:v2"


def test_flux_lays_over_a_made_up_kustomization_too(rendered):
    assert names(rendered({"a.yaml": CONFIG.format("a")}, targetNamespace="prod")) == ["ConfigMap/prod/a"]


def test_kustomizes_own_kinds_are_no_objects(rendered):
    own = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: ImageConfig\nmetadata: {name: x}\n"
    assert names(rendered({"a.yaml": CONFIG.format("a"), "b.yaml": own})) == ["ConfigMap/a"]


def test_an_object_without_api_version_is_refused_by_file_and_name(rendered):
    with pytest.raises(Rejected, match=re.escape("a.yaml: ConfigMap/a: apiVersion is missing")):
        rendered({"a.yaml": "kind: ConfigMap\nmetadata: {name: a}\n"})


def test_deprecated_fields_are_served_with_a_warning(rendered):
    files = {"kustomization.yaml": "resources: [a.yaml]\ncommonLabels: {a: b}\n", "a.yaml": CONFIG.format("a")}
    (warning,) = rendered(files).warnings
    assert warning == "kustomization.yaml: 'commonLabels' is deprecated; use 'labels' instead"


COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -c\n"


def test_components_of_the_spec_come_after_those_of_the_file(rendered):
    files = {
        "app/kustomization.yaml": "resources: [a.yaml]\n",
        "app/a.yaml": CONFIG.format("a"),
        "c/kustomization.yaml": COMPONENT,
    }
    assert names(rendered(files, path="app", components=["../c"])) == ["ConfigMap/a-c"]


def test_missing_components_are_left_out_only_where_that_is_asked_for(rendered):
    files = {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": CONFIG.format("a")}
    assert names(rendered(files, components=["c"], ignoreMissingComponents=True)) == ["ConfigMap/a"]
    with pytest.raises(Rejected, match="c: no such file or folder"):
        rendered(files, components=["c"])


def test_components_must_be_local(rendered):
    with pytest.raises(Rejected, match=r"spec\.components: component path .* must be local and relative"):
        rendered({"a.yaml": CONFIG.format("a")}, components=["https://example.com/c"])


def test_common_metadata_is_on_every_object_and_wins(rendered):
    own = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {team: x, own: y}}\n"
    (manifest,) = rendered(
        {"a.yaml": own}, commonMetadata={"labels": {"team": "z"}, "annotations": {"n": "1"}}
    ).manifests
    assert manifest.body["metadata"] == {"name": "a", "labels": {"team": "z", "own": "y"}, "annotations": {"n": "1"}}


def test_patches_of_older_versions_are_laid_over_too(rendered):
    patch = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 2}}
    operation = {"op": "add", "path": "/spec/paused", "value": True}
    result = rendered(
        {"web.yaml": DEPLOYMENT},
        patchesStrategicMerge=[json.dumps(patch)],
        patchesJson6902=[{"patch": json.dumps([operation]), "target": {"kind": "Deployment", "name": "web"}}],
    )
    (manifest,) = result.manifests
    assert (manifest.body["spec"]["replicas"], manifest.body["spec"]["paused"]) == (2, True)


def test_a_kustomization_that_says_nothing_is_read_as_flux_reads_it(rendered):
    result = rendered({"kustomization.yaml": "resources: []\nsomething: else\n"})
    assert result.manifests == ()
    assert result.warnings == ("kustomization.yaml: something: unknown field, passed over",)


def test_without_resources_flux_notes_origins_unless_the_spec_says_otherwise(rendered):
    files = {"kustomization.yaml": "configMapGenerator: [{name: g, literals: [a=b]}]\n"}
    (manifest,) = rendered(files).manifests
    assert "config.kubernetes.io/origin" in manifest.body["metadata"]["annotations"]
    (manifest,) = rendered(files, buildMetadata=["managedByLabel"]).manifests
    assert manifest.body["metadata"].keys() == {"name", "labels"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"patches": [{"patch": "- {op: remove, path: /x}", "target": {"kind": "ConfigMap"}}]},
            "spec.patches[0]: ConfigMap/a: ",
        ),
        ({"components": ["../x"]}, "spec.components[0]: .: '../x' leaves the tree"),
        ({"images": [{"name": "[", "newTag": "x"}]}, "spec.images: '[' is not a name or pattern"),
    ],
)
def test_errors_in_what_is_laid_over_name_the_field_of_the_spec(rendered, spec, message):
    for files in (
        {"a.yaml": CONFIG.format("a")},
        {"a.yaml": CONFIG.format("a"), "kustomization.yaml": "resources: [a.yaml]\n"},
    ):
        with pytest.raises(Rejected, match="^" + re.escape(message)):
            rendered(files, **spec)
