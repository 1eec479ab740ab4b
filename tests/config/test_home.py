from __future__ import annotations

from pathlib import Path

import pytest

from gitopsd.config import documents, home
from gitopsd.plugin import AppIntent, ObjectRef, SourceIntent, Unserved
from gitopsd.plugin.registry import Registry

APP = ObjectRef(kind="Kustomization", namespace="flux-system", name="app")
GIT = ObjectRef(kind="GitRepository", namespace="flux-system", name="app")


def test_a_file_declares_a_source_and_an_app(declare, git, app):
    declared = declare(git() + app("app", "path: ./deploy"))

    assert isinstance(declared.intents[GIT], SourceIntent)
    intent = declared.intents[APP]
    assert isinstance(intent, AppIntent)
    assert intent.source == GIT
    assert str(declared.objects[APP].place) == "0.yaml:8"
    assert declared.objects[APP].document["metadata"]["namespace"] == "flux-system"
    assert declared.warnings == ()


def test_a_namespace_that_is_written_is_kept(declare, git):
    [ref] = declare(git("app", meta=", namespace: team-a")).objects
    assert str(ref) == "GitRepository/team-a/app"


def test_a_folder_is_read_with_its_folders_and_without_hidden_ones(declare, git, app):
    declared = declare(
        {
            "sources/git.yaml": git(),
            "apps.yml": app(),
            "README.md": "# words",
            ".hidden/x.yaml": "broken: [",
            ".x.yaml": "broken: [",
            "secrets.d/flux-system/x/values.yaml": "broken: [",
        }
    )
    assert set(declared.objects) == {GIT, APP}


def test_a_later_c_overrides_an_object_and_keeps_the_others(declare, git, app):
    declared = declare(git() + app("app", "path: ./one"), app("app", "path: ./two"))

    intent = declared.intents[APP]
    assert isinstance(intent, AppIntent)
    assert intent.spec == {"path": "./two"}
    assert str(declared.objects[APP].place) == "1.yaml:1"
    assert GIT in declared.objects


def test_settings_of_the_last_c_that_has_any_are_in_force(declare):
    settings = "apiVersion: gitopsd.io/v1alpha1\nkind: Settings\nspec: {{instance: {}}}\n"
    declared = declare(settings.format("one"), settings.format("two"), "# nothing\n")
    assert declared.settings.instance == "two"


def test_without_settings_the_defaults_are_in_force(declare, git):
    assert declare(git()).settings.instance == "default"


def test_lists_are_taken_apart(declare, git, app):
    def item(text: str) -> str:
        lines = text.removesuffix("---\n").splitlines()
        return "- " + "\n  ".join(lines) + "\n"

    declared = declare("apiVersion: v1\nkind: List\nitems:\n" + item(git()) + item(app()))
    assert set(declared.objects) == {GIT, APP}


def test_a_kind_that_is_not_served_yet_is_listed_as_such(declare):
    declared = declare(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec: {any: thing}\n"
    )
    [(ref, intent)] = declared.intents.items()
    assert intent == Unserved(ref=ref)


def test_a_kind_that_the_settings_leave_out_is_not_served(declare, git, app):
    settings = "apiVersion: gitopsd.io/v1alpha1\nkind: Settings\nspec: {kinds: [GitRepository]}\n---\n"
    declared = declare(settings + git() + app())
    assert isinstance(declared.intents[GIT], SourceIntent)
    assert declared.intents[APP] == Unserved(ref=APP)


def test_a_cluster_has_a_name_labels_and_one_way_in(declare):
    declared = declare(
        {
            "a/clusters.yaml": "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\n"
            "metadata: {name: prod, labels: {tier: one}}\n"
            "spec: {kubeconfig: {path: ./kube.yaml, context: p}}\n---\n"
            "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: here}\nspec: {inCluster: }\n"
        }
    )
    prod = declared.clusters["prod"]
    assert (prod.access, prod.labels) == ("kubeconfig", {"tier": "one"})
    assert prod.spec == {"path": str(Path.cwd() / "0/a/kube.yaml"), "context": "p"}
    assert declared.clusters["here"].spec == {}


def test_several_paths_are_meant_from_the_file_each(declare):
    declared = declare(
        "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: x}\nspec: {kubeconfig: {path: 'a:/b:~/c'}}\n"
    )
    assert declared.clusters["x"].spec == {"path": f"{Path.cwd()}/a:/b:~/c"}


@pytest.mark.parametrize("path", ["/etc/kube.yaml", "~/.kube/config"])
def test_a_path_that_is_not_relative_stays_as_written(declare, path):
    declared = declare(
        "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: x}\n"
        f"spec: {{kubeconfig: {{path: {path}}}}}\n"
    )
    assert declared.clusters["x"].spec == {"path": path}


def test_secrets_and_config_maps_are_decoded_and_never_shown(declare):
    declared = declare(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: git}\ndata: {password: aHVudGVyMg==, user: eA==}\n"
        "stringData: {user: me}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: vars, namespace: a}\ndata: {x: z}\nbinaryData: {b: AAE=}\n"
    )
    assert declared.secrets["flux-system", "git"].values == {"password": b"hunter2", "user": b"me"}
    assert declared.config_maps["a", "vars"].values == {"x": b"z", "b": b"\0\1"}
    assert "hunter2" not in repr(declared)
    assert "aHVudGVyMg" not in repr(declared)


def test_dependencies_of_the_annotation_join_those_of_the_spec(declare, git, app):
    meta = ", annotations: {gitopsd.io/depends-on: 'GitRepository/flux-system/other, Kustomization/two'}"
    declared = declare(git() + git("other") + app("two") + app("app", "dependsOn: [{name: two}]", meta=meta))
    intent = declared.intents[APP]
    assert isinstance(intent, AppIntent)
    assert [str(ref) for ref in intent.depends_on] == [
        "Kustomization/flux-system/two",
        "GitRepository/flux-system/other",
    ]


def test_a_source_may_depend_on_an_app(declare, git, app):
    meta = ", annotations: {gitopsd.io/depends-on: Kustomization/app}"
    declared = declare(git() + app() + git("late", meta=meta))
    intent = declared.intents[ObjectRef(kind="GitRepository", namespace="flux-system", name="late")]
    assert isinstance(intent, SourceIntent)
    assert intent.depends_on == (APP,)


def test_an_annotation_of_ours_that_there_is_not_is_a_warning_of_its_object(declare, git, app):
    intent = declare(git() + app("app", meta=", annotations: {gitopsd.io/adpot: always, x.io/y: z}")).intents[APP]
    assert isinstance(intent, AppIntent)
    assert intent.warnings == ("unknown annotation 'gitopsd.io/adpot' has no effect; did you mean 'gitopsd.io/adopt'?",)


def test_a_request_that_stands_in_a_file_is_a_warning_of_its_object(declare, git):
    declared = declare(git(meta=", annotations: {reconcile.fluxcd.io/requestedAt: now}"))
    [intent] = declared.intents.values()
    assert isinstance(intent, SourceIntent)
    [warning] = intent.warnings
    assert "'reconcile.fluxcd.io/requestedAt' has no effect in a file; `gitopsd reconcile`" in warning


def test_what_an_app_may_bring_is_a_warning(declare, git, app):
    declared = declare(git() + app() + app("child", source="later"))
    [warning] = declared.warnings
    assert str(warning) == (
        "0.yaml:22: Kustomization/flux-system/child: $.spec.sourceRef: "
        "GitRepository/flux-system/later is not declared in the files; waiting until an app brings it"
    )


def test_a_source_of_a_kind_that_is_not_served_yet_may_come_from_anywhere(declare, app):
    declared = declare(app().replace("kind: GitRepository", "kind: OCIRepository"))
    assert [str(warning) for warning in declared.warnings] == [
        "0.yaml:7: Kustomization/flux-system/app: $.spec.sourceRef: "
        "OCIRepository/flux-system/app is not declared, and OCIRepository is not served yet"
    ]


def test_flux_itself_and_files_of_kustomize_are_skipped_with_a_warning(declare, git):
    controllers = (
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system, labels: {app.kubernetes.io/part-of: flux}}\n---\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: c, labels: {app.kubernetes.io/part-of: flux}}\n---\n"
    )
    kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [x.yaml]\n"
    declared = declare({"a.yaml": controllers + git(), "kustomization.yaml": kustomization})
    assert [str(warning) for warning in declared.warnings] == [
        "0/kustomization.yaml:1: skipped, as a file of kustomize's own declares nothing; name the files that it lists",
        "0/a.yaml:1: skipped, as gitopsd needs none of Flux's controllers: "
        "Namespace/flux-system/flux-system, Deployment/flux-system/c",
    ]
    assert set(declared.objects) == {GIT}


def test_the_content_of_an_object_is_its_spec_and_our_annotations(declare, git):
    def content(text: str) -> str:
        return str(declare(text).objects[GIT].spec)

    plain = content(git())
    assert content("# moved\n" + git("app", meta=", labels: {a: b}, annotations: {other.io/x: z}")) == plain
    assert content(git("app", meta=", annotations: {gitopsd.io/adopt: always}")) != plain
    assert content(git("app", "timeout: 10s")) != plain


def test_settings_can_be_read_before_any_plugin_is_loaded(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("apiVersion: gitopsd.io/v1alpha1\nkind: Settings\nspec: {plugins: {disabled: [git]}}\n")
    assert home.settings(documents.gather([file])).plugins.disabled == ("git",)


def test_nothing_declared_is_an_empty_set(tmp_path):
    assert home.declare(documents.gather([tmp_path]), Registry()).objects == {}
