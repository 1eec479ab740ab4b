"""The kind Kustomization: document to intent, markers to rules, outcome to Flux's status."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gitopsd.plugin import (
    Adopt,
    Atomic,
    Declared,
    Deletion,
    Digest,
    DriftPolicy,
    Inventory,
    Manifest,
    ObjectRef,
    Outcome,
    Owned,
    Phase,
    Place,
    ResourceId,
    Revision,
    SpecError,
    Step,
    Treatment,
    WriteMode,
)
from gitopsd_plugins.kustomize.kind import KustomizationKind

KIND = KustomizationKind()
REF = ObjectRef(kind="Kustomization", namespace="flux-system", name="apps")
MAIN = Revision(name="main", digest="sha1:abc")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def declared(annotations=None, version="v1", **spec):
    document = {
        "apiVersion": f"kustomize.toolkit.fluxcd.io/{version}",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system", "annotations": annotations or {}},
        "spec": {"interval": "10m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "repo"}, **spec},
    }
    return Declared(ref=REF, document=document, place=Place(file="x.yaml"), spec=Digest(""))


def intent(annotations=None, **spec):
    return KIND.read(declared(annotations, **spec))


def test_defaults_are_those_of_flux():
    found = intent()
    assert found.source == ObjectRef(kind="GitRepository", namespace="flux-system", name="repo")
    assert (found.interval, found.retry_interval) == (timedelta(minutes=10), timedelta(minutes=10))
    assert found.timeout == timedelta(minutes=9, seconds=30)
    assert found.deletion is Deletion.MIRROR_PRUNE
    assert found.unsupported == found.warnings == ()


@pytest.mark.parametrize(
    ("spec", "seconds"), [({"timeout": "10s"}, 30), ({"interval": "40s"}, 30), ({"timeout": "1h"}, 3600)]
)
def test_the_timeout_has_a_floor(spec, seconds):
    assert intent(**spec).timeout == timedelta(seconds=seconds)


def test_what_the_renderer_needs_travels_as_json():
    found = intent(
        path="./app",
        targetNamespace="prod",
        patches=[{"patch": "x", "target": {"labelSelector": "a=b"}}],
        images=[{"name": "a", "newTag": "b"}],
    )
    assert json.loads(json.dumps(found.spec)) == {
        "path": "./app",
        "targetNamespace": "prod",
        "patches": [{"patch": "x", "target": {"labelSelector": "a=b"}}],
        "images": [{"name": "a", "newTag": "b"}],
    }


def test_dependencies_come_from_the_spec_as_the_annotation_is_read_for_all_kinds_alike():
    found = intent({"gitopsd.io/depends-on": "HelmRelease/db/pg"}, dependsOn=[{"name": "crds"}, {"name": "x"}])
    assert [str(d) for d in found.depends_on] == ["Kustomization/flux-system/crds", "Kustomization/flux-system/x"]


def test_health_checks_count_only_without_wait():
    checks = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "a", "namespace": "b"}]
    (check,) = intent(healthChecks=checks).health_checks
    assert (str(check.id), check.version) == ("Deployment/b/a", "v1")
    assert intent(healthChecks=checks, wait=True).health_checks == ()


def test_decryption_in_the_name_of_a_service_account():
    found = intent(decryption={"provider": "sops", "serviceAccountName": "opener"}).decryption
    assert (found.provider, found.keys, found.account) == ("sops", None, "opener")
    with pytest.raises(SpecError, match="cannot be the name of a service account") as raised:
        intent(decryption={"provider": "sops", "serviceAccountName": "a/b"})
    assert raised.value.path == ("spec", "decryption", "serviceAccountName")


@pytest.mark.parametrize(
    "spec", [{"postBuild": {}}, {"force": False}, {"components": []}, {"commonMetadata": {"labels": {}}}]
)
def test_fields_at_their_default_are_no_obstacle(spec):
    assert intent(**spec).unsupported == ()


def test_old_documents_are_read_with_a_warning_and_validation_has_its_effect():
    found = KIND.read(declared(version="v1beta1", validation="none"))
    assert found.policy.atomic is Atomic.OBJECT
    assert len(found.warnings) == 2
    assert intent(validation="client").policy.atomic is None


def test_annotations_become_policy():
    policy = intent(
        {
            "gitopsd.io/adopt": "true",
            "gitopsd.io/atomic": "object",
            "gitopsd.io/approve": "sha256:a",
            "gitopsd.io/delete": "confirmed",
        }
    ).policy
    assert (policy.adopt, policy.atomic, policy.approved, policy.delete_confirmed) == (
        Adopt.ALWAYS,
        Atomic.OBJECT,
        frozenset({"sha256:a"}),
        True,
    )
    assert intent({"gitopsd.io/cluster": "east"}).cluster == "east"


@pytest.mark.parametrize(
    ("annotations", "spec", "path"),
    [
        ({"gitopsd.io/adopt": "maybe"}, {}, ("metadata", "annotations", "gitopsd.io/adopt")),
        ({"gitopsd.io/delete": "yes"}, {}, ("metadata", "annotations", "gitopsd.io/delete")),
        ({}, {"interval": "ten"}, ("spec", "interval")),
        ({}, {"interval": "0s"}, ("spec", "interval")),
        ({}, {"prun": True}, ("spec", "prun")),
        ({}, {"prune": "yes"}, ("spec", "prune")),
        ({}, {"sourceRef": {"kind": "", "name": "x"}}, ("spec", "sourceRef", "kind")),
    ],
)
def test_mistakes_carry_their_path(annotations, spec, path):
    with pytest.raises(SpecError) as caught:
        intent(annotations, **spec)
    assert caught.value.path == path


def test_a_source_of_any_kind_is_taken_and_those_of_flux_are_known():
    found = intent(sourceRef={"kind": "Inline", "name": "x"})
    assert found.source == ObjectRef(kind="Inline", namespace="flux-system", name="x")
    assert found.source_kinds == {"GitRepository", "OCIRepository", "Bucket", "ExternalArtifact"}


FLUX = "kustomize.toolkit.fluxcd.io"


@pytest.mark.parametrize(
    ("metadata", "treatment"),
    [
        ({}, Treatment()),
        ({"annotations": {"example.com/ssa": "Ignore"}}, Treatment()),
        ({"annotations": {f"{FLUX}/ssa": "Override"}}, Treatment()),
        ({"annotations": {f"{FLUX}/prune": "Disabled"}}, Treatment(keep=True, why=f"{FLUX}/prune: disabled")),
        (
            {"labels": {f"{FLUX}/reconcile": "disabled"}},
            Treatment(mode=WriteMode.IGNORE, why=f"{FLUX}/reconcile: disabled"),
        ),
        ({"labels": {f"{FLUX}/ssa": "Ignore"}}, Treatment(mode=WriteMode.IGNORE, why=f"{FLUX}/ssa: ignore")),
        ({"labels": {f"{FLUX}/ssa": "merge"}}, Treatment(mode=WriteMode.MERGE, why=f"{FLUX}/ssa: merge")),
        (
            {"annotations": {f"{FLUX}/ssa": "IfNotPresent", f"{FLUX}/force": "Enabled"}},
            Treatment(mode=WriteMode.CREATE_ONLY, force=True, why=f"{FLUX}/ssa: ifnotpresent"),
        ),
        (
            {"labels": {"app.kubernetes.io/part-of": "flux"}},
            Treatment(mode=WriteMode.IGNORE, why="part of Flux itself: Flux's own controllers are skipped"),
        ),
    ],
)
def test_markers(metadata, treatment):
    assert treated({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", **metadata}}) == treatment


def test_flux_s_own_namespace_is_applied():
    labels = {"app.kubernetes.io/part-of": "flux"}
    assert (
        treated({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": labels}}) == Treatment()
    )


def treated(body, **spec):
    manifest = Manifest.of(body)
    return KIND.treatment(intent({}, **spec), manifest.id, manifest.body)


@pytest.mark.parametrize(
    ("target", "ignored"),
    [
        (None, ("/spec/replicas",)),
        ({"kind": "Deployment"}, ("/spec/replicas",)),
        ({"kind": "Deploy"}, ()),
        ({"group": "apps", "version": "v1", "name": "we.*", "namespace": "shop"}, ("/spec/replicas",)),
        ({"version": "v1beta1"}, ()),
        ({"labelSelector": "tier in (a, b)", "annotationSelector": "team"}, ("/spec/replicas",)),
        ({"labelSelector": "tier=c"}, ()),
    ],
)
def test_ignored_fields_are_those_of_the_rules_that_fit(target, ignored):
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"tier": "a"}, "annotations": {"team": "x"}},
    }
    rule = {"paths": ["/spec/replicas"], **({"target": target} if target else {})}
    assert treated(body, ignore=[rule]).ignored == ignored


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({"paths": ["spec/replicas"]}, ("spec", "ignore", 0, "paths", 0)),
        ({"paths": ["/spec/replicas", "/metadata"]}, ("spec", "ignore", 0, "paths", 1)),
        ({"paths": ["/x"], "target": {"name": "("}}, ("spec", "ignore", 0, "target")),
        ({"paths": ["/x"] * 300}, ("spec", "ignore")),
    ],
)
def test_an_ignore_rule_that_is_none_is_refused_with_its_place(rule, path):
    with pytest.raises(SpecError) as caught:
        intent({}, ignore=[rule])
    assert caught.value.path == path


def test_force_drift_and_stages_are_policy():
    found = intent(
        {"gitopsd.io/drift": "warn", "gitopsd.io/stage-kinds": "rbac.authorization.k8s.io/Role, Secret"}, force=True
    ).policy
    assert found.force
    assert found.drift is DriftPolicy.WARN
    assert found.stage_kinds == {("rbac.authorization.k8s.io", "Role"), ("", "Secret")}


@pytest.mark.parametrize(("key", "value"), [("drift", "off"), ("stage-kinds", "role"), ("stage-kinds", "a/b/Role")])
def test_a_word_that_is_none_is_refused(key, value):
    with pytest.raises(SpecError, match=f"annotation gitopsd.io/{key} is '{value}'"):
        intent({f"gitopsd.io/{key}": value})


def outcome(phase=Phase.READY, **values):
    base = Outcome(
        ref=REF, phase=phase, generation=3, started=NOON, finished=NOON + timedelta(seconds=1.5), attempted=MAIN
    )
    return replace(base, **values)


def after(found, previous=None):
    return KIND.status(declared(), found, previous or {})


def condition(status, sort):
    return next((c for c in status["conditions"] if c["type"] == sort), None)


def test_a_success_is_told_as_flux_tells_it():
    owned = [
        Owned(id=ResourceId(group="apps", kind="Deployment", namespace="default", name="web"), version="v1"),
        Owned(id=ResourceId(group="", kind="ConfigMap", namespace="a", name="b"), version="v1"),
        Owned(
            id=ResourceId(group="rbac.authorization.k8s.io", kind="ClusterRole", namespace="", name="system:x"),
            version="v1",
        ),
        Owned(id=ResourceId(group="", kind="Namespace", namespace="", name="n"), version="v1"),
    ]
    inventory = Inventory(app=REF, cluster_uid="u", owned={o.id: o for o in owned})
    status = after(outcome(applied=MAIN, inventory=inventory, healthy=True, rendered="sha256:1", token="now"))
    assert condition(status, "Ready") == {
        "type": "Ready",
        "status": "True",
        "reason": "ReconciliationSucceeded",
        "message": "Applied revision: main@sha1:abc",
        "observedGeneration": 3,
        "lastTransitionTime": "2026-01-31T12:00:01Z",
    }
    assert condition(status, "Healthy")["status"] == "True"
    assert condition(status, "Reconciling") is condition(status, "Stalled") is None
    assert [e["id"] for e in status["inventory"]["entries"]] == [
        "default_web_apps_Deployment",
        "a_b__ConfigMap",
        "_system__x_rbac.authorization.k8s.io_ClusterRole",
        "_n__Namespace",
    ]
    assert status["observedGeneration"] == 3
    assert status["lastAppliedRevision"] == status["lastAttemptedRevision"] == "main@sha1:abc"
    assert status["lastHandledReconcileAt"] == "now"


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (Step.ARTIFACT, "ArtifactFailed"),
        (Step.RENDER, "BuildFailed"),
        (Step.REQUIRE, "DependencyNotReady"),
        (Step.APPLY, "ReconciliationFailed"),
        (Step.REHEARSE, "ReconciliationFailed"),
        (Step.PRUNE, "PruneFailed"),
        (Step.GATE, "HealthCheckFailed"),
    ],
)
def test_a_failure_is_named_by_its_step_and_leaves_the_observed_generation(step, reason):
    status = after(outcome(Phase.RETRYING, step=step, message="why"), {"observedGeneration": 2})
    assert (condition(status, "Ready")["status"], condition(status, "Ready")["reason"]) == ("False", reason)
    assert condition(status, "Reconciling")["reason"] == "ProgressingWithRetry"
    assert status["observedGeneration"] == 2


def test_an_outcome_s_own_reason_wins():
    status = after(outcome(Phase.STALLED, step=Step.ACCEPT, reason="FeatureNotSupported", message="spec.decryption"))
    assert condition(status, "Ready")["reason"] == condition(status, "Stalled")["reason"] == "FeatureNotSupported"
    assert condition(status, "Reconciling") is None
    assert status["observedGeneration"] == 3


def test_while_running_it_is_unknown_and_a_new_object_is_not_observed():
    status = after(outcome(Phase.PROGRESSING, step=Step.RENDER))
    assert condition(status, "Ready")["status"] == "Unknown"
    assert status["observedGeneration"] == -1


def test_a_suspended_app_keeps_its_conditions():
    before = after(outcome(applied=MAIN))
    assert after(outcome(Phase.SUSPENDED), before)["conditions"] == before["conditions"]


def test_a_time_moves_only_when_the_status_does():
    first = after(outcome(applied=MAIN))
    later = {"started": NOON + timedelta(hours=1), "finished": NOON + timedelta(hours=1)}
    again = after(outcome(applied=MAIN, **later), first)
    failed = after(outcome(Phase.RETRYING, step=Step.RENDER, **later), again)
    assert condition(again, "Ready")["lastTransitionTime"] == "2026-01-31T12:00:01Z"
    assert condition(failed, "Ready")["lastTransitionTime"] == "2026-01-31T13:00:00Z"


def test_the_history_joins_equal_results_and_keeps_five():
    status = {}
    for digest in ("1", "1", "2", "3", "4", "5", "6"):
        status = after(outcome(applied=MAIN, rendered=digest), status)
    assert [(e["digest"], e["totalReconciliations"]) for e in status["history"]] == [(d, 1) for d in "65432"]
    status = after(outcome(applied=MAIN, rendered="4"), status)
    assert (status["history"][0]["digest"], status["history"][0]["totalReconciliations"]) == ("4", 2)
    assert status["history"][0]["lastReconciledDuration"] == "1.5s"
    assert status["history"][0]["metadata"] == {"revision": "main@sha1:abc"}


def test_the_schema_describes_the_document():
    schema = KIND.schema()
    assert "KustomizationSpec" in json.dumps(schema)


def test_when_a_dependency_is_ready_may_be_said_in_cel():
    found = intent(
        dependsOn=[
            {"name": "a"},
            {"name": "b", "readyExpr": "x"},
            {"name": "c", "namespace": "n", "readyExpr": "y"},
            {"name": "b", "readyExpr": "z"},
        ]
    )
    assert {str(ref): text for ref, text in found.ready_expressions.items()} == {
        "Kustomization/flux-system/b": "(x) && (z)",
        "Kustomization/n/c": "y",
    }


def test_health_in_cel_is_by_group_and_kind():
    entries = [
        {"apiVersion": "a.io/v1", "kind": "B", "current": "c", "inProgress": "i", "failed": "f"},
        {"apiVersion": "a.io/v2", "current": "d"},
        {"apiVersion": "v1", "kind": "B", "current": "e"},
    ]
    found = intent(healthCheckExprs=entries).health_expressions
    assert [(e.group, e.kind, e.current, e.in_progress, e.failed) for e in found] == [
        ("a.io", "B", "c", "i", "f"),
        ("a.io", "", "d", "", ""),
        ("", "B", "e", "", ""),
    ]


@pytest.mark.parametrize(
    ("entries", "words", "path"),
    [
        ([{"apiVersion": "a/v1", "kind": "B"}], "`current`", ("spec", "healthCheckExprs", 0)),
        ([{"apiVersion": "a/v1", "current": " "}], "write when", ("spec", "healthCheckExprs", 0, "current")),
        (
            [{"apiVersion": "a/v1", "kind": "B", "current": "c"}, {"apiVersion": "a/v2", "kind": "B", "current": "c"}],
            "a second entry for B of a/v2",
            ("spec", "healthCheckExprs", 1),
        ),
    ],
)
def test_health_in_cel_needs_one_entry_with_current(entries, words, path):
    with pytest.raises(SpecError, match=words) as caught:
        intent(healthCheckExprs=entries)
    assert caught.value.path == path


def test_the_values_of_a_build_are_named_in_their_order():
    sources = [{"kind": "ConfigMap", "name": "a"}, {"kind": "Secret", "name": "b", "optional": True}]
    found = intent(postBuild={"substituteFrom": sources})
    assert [(str(v), v.optional, v.secret) for v in found.values] == [
        ("ConfigMap/flux-system/a", False, False),
        ("Secret/flux-system/b", True, True),
    ]
    assert found.values[1].field == "spec.postBuild.substituteFrom[1]"


def test_an_annotation_lets_unknown_variables_be_empty():
    assert "strict" not in intent().spec
    assert intent({"gitopsd.io/substitute": "lenient"}).spec["strict"] is False
    with pytest.raises(SpecError, match="write strict or lenient"):
        intent({"gitopsd.io/substitute": "maybe"})


def test_a_service_account_is_one_of_the_apps_own_namespace():
    assert intent(serviceAccountName="deployer").act_as == "system:serviceaccount:flux-system:deployer"
    assert intent().act_as == ""


@pytest.mark.parametrize("name", ["a:b", "a\nImpersonate-Group: system:masters", "A", "-a"])
def test_a_service_account_is_no_way_to_other_names(name):
    with pytest.raises(SpecError, match="cannot be the name of a service account"):
        intent(serviceAccountName=name)


def test_another_cluster_is_named_by_a_secret_or_config_map_of_the_apps_own_namespace():
    assert str(intent(kubeConfig={"secretRef": {"name": "x"}}).kubeconfig) == "Secret/flux-system/x"
    assert str(intent(kubeConfig={"secretRef": {"name": "x", "key": "k"}}).kubeconfig) == "Secret/flux-system/x[k]"
    assert str(intent(kubeConfig={"configMapRef": {"name": "x"}}).kubeconfig) == "ConfigMap/flux-system/x"
    assert intent().kubeconfig is None


@pytest.mark.parametrize(
    ("annotations", "kube_config", "words"),
    [
        ({}, {}, "needs either secretRef or configMapRef"),
        ({}, {"secretRef": {"name": "x"}, "configMapRef": {"name": "y"}}, "needs either secretRef or configMapRef"),
        ({"gitopsd.io/cluster": "prod"}, {"secretRef": {"name": "x"}}, "names another cluster than the annotation"),
    ],
)
def test_another_cluster_is_named_once(annotations, kube_config, words):
    with pytest.raises(SpecError, match=words) as caught:
        intent(annotations, kubeConfig=kube_config)
    assert caught.value.path == ("spec", "kubeConfig")


def test_decryption_names_the_provider_and_the_secret_with_the_keys():
    found = intent(decryption={"provider": "sops", "secretRef": {"name": "sops-age"}}).decryption
    assert found is not None
    assert (found.provider, str(found.keys), found.verify) == ("sops", "Secret/flux-system/sops-age", None)


@pytest.mark.parametrize(("word", "verify"), [("ignore", False), ("verify", True)])
def test_an_annotation_says_whether_what_was_changed_since_it_was_encrypted_is_refused(word, verify):
    found = intent(annotations={"gitopsd.io/sops-mac": word}).decryption
    assert found is not None
    assert (found.provider, found.verify) == ("", verify)
