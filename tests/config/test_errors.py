"""Every way in which declared files can be wrong, with the exact words."""

from __future__ import annotations

import pytest

from gitopsd.config import documents, home
from gitopsd.config.problems import ConfigError
from gitopsd.plugin import UsageError
from gitopsd.plugin.registry import PluginInfo, Registry

GIT = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: app}
spec:
  url: https://example.com/app
  interval: 1m
"""
APP = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
spec:
  interval: 1m
  prune: true
  sourceRef:
    kind: GitRepository
    name: app
"""
SETTINGS = "apiVersion: gitopsd.io/v1alpha1\nkind: Settings\nspec:\n  "
CLUSTER = "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: prod}\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: git}\n"
BOTH = GIT + "---\n" + APP


def depends(name: str, *on: str) -> str:
    refs = "".join(f"\n  - name: {other}" for other in on)
    return APP.replace("name: apps", f"name: {name}") + f"  dependsOn:{refs}\n---\n"


CASES = {
    "duplicate key": (
        "a: 1\na: 2\n",
        "0.yaml:2: column 1: key 'a' is there already, at line 1, column 1; keep one of them",
    ),
    "not an object": (
        "- just\n- words\n",
        "0.yaml:1: is not an object; write apiVersion, kind, metadata and spec",
    ),
    "no apiVersion": ("kind: X\nmetadata: {name: y1}\n", "0.yaml:1: X/y1: $.apiVersion: is missing or not a text"),
    "no kind": ("apiVersion: v1\n", "0.yaml:1: $.kind: is missing or not a text"),
    "metadata that is a text": (
        "apiVersion: v1\nkind: Secret\nmetadata: git\n",
        "0.yaml:3: Secret: $.metadata: is not a mapping",
    ),
    "no name": (
        GIT.replace("{name: app}", "{}"),
        "0.yaml:3: GitRepository: $.metadata.name: is missing or not a text",
    ),
    "a name that no object can have": (
        GIT.replace("name: app", "name: My_App"),
        "0.yaml:3: GitRepository/My_App: $.metadata.name: 'My_App' is not a name; "
        "use lower case letters, digits, '-' and '.', at most 253",
    ),
    "a namespace that leaves its folder": (
        GIT.replace("name: app", "name: app, namespace: ../x"),
        "0.yaml:3: GitRepository/app: $.metadata.namespace: '../x' is not a namespace; "
        "use lower case letters, digits, '-' and '.', at most 63",
    ),
    "an annotation that is a number": (
        GIT.replace("{name: app}", "\n  name: app\n  annotations:\n    gitopsd.io/approve: 12"),
        '0.yaml:6: GitRepository/app: $.metadata.annotations["gitopsd.io/approve"]: is not a text; put it in quotes',
    ),
    "wrong type": (
        GIT.replace("1m", "5"),
        "0.yaml:6: GitRepository/flux-system/app: $.spec.interval: Expected `str`, got `int`",
    ),
    "unknown field": (
        GIT + "  ref:\n    brnch: main\n",
        "0.yaml:8: GitRepository/flux-system/app: $.spec.ref.brnch: unknown field 'brnch'; did you mean 'branch'?",
    ),
    "missing field": (
        GIT.replace("  url: https://example.com/app\n", ""),
        "0.yaml:4: GitRepository/flux-system/app: $.spec: Object missing required field `url`",
    ),
    "bad duration": (
        GIT.replace("1m", "often"),
        "0.yaml:6: GitRepository/flux-system/app: $.spec.interval: 'often' is not a duration; "
        "write it as 30s, 5m or 1h30m",
    ),
    "unknown kind": (
        GIT.replace("GitRepository", "GitRepo"),
        "0.yaml:2: GitRepo/flux-system/app: $.kind: unknown kind 'GitRepo' in source.toolkit.fluxcd.io; "
        "did you mean 'GitRepository'?",
    ),
    "known kind of another group": (
        APP.replace("kustomize.toolkit.fluxcd.io", "kustomize.fluxcd.io"),
        "0.yaml:2: Kustomization/flux-system/apps: $.kind: unknown kind 'Kustomization' in kustomize.fluxcd.io; "
        "did you mean the group kustomize.toolkit.fluxcd.io?",
    ),
    "kind of Kubernetes": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n",
        "0.yaml:2: Deployment/flux-system/web: $.kind: unknown kind 'Deployment' in apps",
    ),
    "version that is not served": (
        GIT.replace("io/v1", "io/v9"),
        "0.yaml:1: GitRepository/flux-system/app: $.apiVersion: version 'v9' is not served; "
        "use source.toolkit.fluxcd.io/v1, source.toolkit.fluxcd.io/v1beta2",
    ),
    "declared twice": (
        GIT + "---\n" + GIT,
        "0.yaml:8: GitRepository/flux-system/app: declared twice, first at 0.yaml:1; remove one",
    ),
    "source that is not declared": (
        GIT + "---\n" + APP.replace("name: app\n", "name: app1\n"),
        "0.yaml:15: Kustomization/flux-system/apps: $.spec.sourceRef: "
        "GitRepository/flux-system/app1 is not declared; did you mean GitRepository/flux-system/app?",
    ),
    "source of a kind that nobody knows": (
        GIT + "---\n" + APP.replace("kind: GitRepository", "kind: GitRepo"),
        "0.yaml:16: Kustomization/flux-system/apps: $.spec.sourceRef.kind: no plugin serves 'GitRepo' as a source; "
        "did you mean 'GitRepository'? (known: GitRepository, OCIRepository (not served yet))",
    ),
    "source of a kind that is none": (
        GIT + "---\n" + APP.replace("kind: GitRepository", "kind: HelmRelease"),
        "0.yaml:16: Kustomization/flux-system/apps: $.spec.sourceRef.kind: no plugin serves 'HelmRelease' as a source "
        "(known: GitRepository, OCIRepository (not served yet))",
    ),
    "dependency that is not declared": (
        BOTH + "  dependsOn:\n  - name: infra\n",
        "0.yaml:19: Kustomization/flux-system/apps: $.spec.dependsOn[0]: Kustomization/flux-system/infra is not declared",
    ),
    "annotated dependency that is not declared": (
        BOTH.replace(
            "name: apps", "name: apps\n  annotations:\n    gitopsd.io/depends-on: GitRepository/flux-system/ap"
        ),
        '0.yaml:13: Kustomization/flux-system/apps: $.metadata.annotations["gitopsd.io/depends-on"]: '
        "GitRepository/flux-system/ap is not declared; did you mean GitRepository/flux-system/app?",
    ),
    "dependency that is no reference": (
        BOTH.replace("name: apps", "name: apps\n  annotations: {gitopsd.io/depends-on: infra}"),
        '0.yaml:12: Kustomization/flux-system/apps: $.metadata.annotations["gitopsd.io/depends-on"]: '
        "'infra' is not KIND/NAMESPACE/NAME; write KIND/NAMESPACE/NAME, several with commas between",
    ),
    "cycle": (
        GIT + "---\n" + depends("a", "b") + depends("b", "c") + depends("c", "a"),
        "0.yaml:19: Kustomization/flux-system/a: $.spec.dependsOn[0]: depends on itself: "
        "Kustomization/flux-system/a -> Kustomization/flux-system/b -> Kustomization/flux-system/c -> "
        "Kustomization/flux-system/a; remove one of these dependencies",
    ),
    "object that depends on itself": (
        GIT + "---\n" + depends("a", "a"),
        "0.yaml:19: Kustomization/flux-system/a: $.spec.dependsOn[0]: depends on itself: "
        "Kustomization/flux-system/a -> Kustomization/flux-system/a; remove one of these dependencies",
    ),
    "cluster that is not declared": (
        CLUSTER
        + "spec: {sandbox: {}}\n---\n"
        + BOTH.replace("name: apps", "name: apps\n  annotations: {gitopsd.io/cluster: prdo}"),
        '0.yaml:17: Kustomization/flux-system/apps: $.metadata.annotations["gitopsd.io/cluster"]: '
        "Cluster/prdo is not declared; did you mean 'prod'?",
    ),
    "cluster without a way in": (
        CLUSTER + "spec: {}\n",
        "0.yaml:4: Cluster/prod: $.spec: must name exactly one way to reach the cluster "
        "(inCluster, kubeconfig, sandbox), not none",
    ),
    "cluster with two ways in": (
        CLUSTER + "spec: {inCluster: {}, sandbox: {}}\n",
        "0.yaml:4: Cluster/prod: $.spec: must name exactly one way to reach the cluster "
        "(inCluster, kubeconfig, sandbox), not inCluster and sandbox",
    ),
    "cluster with an unknown way in": (
        CLUSTER + "spec:\n  kubeConfig: {}\n",
        "0.yaml:5: Cluster/prod: $.spec.kubeConfig: unknown way to reach a cluster; did you mean 'kubeconfig'? "
        "(known: inCluster, kubeconfig, sandbox)",
    ),
    "cluster in a namespace": (
        CLUSTER.replace("name: prod", "name: prod, namespace: x1") + "spec: {sandbox: {}}\n",
        "0.yaml:3: Cluster/prod: $.metadata.namespace: a Cluster has no namespace; remove it",
    ),
    "kind of ours that is misspelt": (
        CLUSTER.replace("Cluster", "Clusters"),
        "0.yaml:2: Clusters/flux-system/prod: $.kind: unknown kind 'Clusters' in gitopsd.io; did you mean 'Cluster'?",
    ),
    "unknown setting": (
        SETTINGS + "fieldmanager: x\n",
        "0.yaml:4: Settings: $.spec.fieldmanager: unknown field 'fieldmanager'; did you mean 'fieldManager'?",
    ),
    "setting with a value that there is not": (
        SETTINGS + "adopt: sometimes\n",
        "0.yaml:4: Settings: $.spec.adopt: Invalid enum value 'sometimes'; use never, unmanaged, always",
    ),
    "instance that cannot be a label": (
        SETTINGS + "instance: Prod\n",
        "0.yaml:4: Settings: $.spec.instance: is not a DNS label; use lower case letters, digits and '-', at most 63",
    ),
    "folder that is not absolute": (
        SETTINGS + "stateDir: state\n",
        "0.yaml:4: Settings: $.spec.stateDir: is not an absolute path; begin it with /",
    ),
    "settings of another version": (
        SETTINGS.replace("v1alpha1", "v2"),
        "0.yaml:1: Settings: $.apiVersion: Invalid enum value 'gitopsd.io/v2'; use gitopsd.io/v1alpha1",
    ),
    "setting out of range": (
        SETTINGS + "limits: {fetches: 0}\n",
        "0.yaml:4: Settings: $.spec.limits.fetches: Expected `int` >= 1",
    ),
    "setting that is no duration": (
        SETTINGS + "holdTimeout: 1 hour\n",
        "0.yaml:4: Settings: $.spec.holdTimeout: '1 hour' is not a duration; write it as 30s, 5m or 1h30m",
    ),
    "setting that is no size": (
        SETTINGS + "limits: {workerMemory: 1 GB}\n",
        "0.yaml:4: Settings: $.spec.limits.workerMemory: '1 GB' is not a size; write it as 512Mi or 2Gi",
    ),
    "back-off that shrinks": (
        SETTINGS + "retry: {min: 1h}\n",
        "0.yaml:4: Settings: $.spec.retry: min is 1h, max 15m; min must be more than 0s and at most max",
    ),
    "setting with an unknown kind": (
        SETTINGS + "kinds: [Kustomisation]\n",
        "0.yaml:4: Settings: $.spec.kinds[0]: unknown kind 'Kustomisation'; did you mean 'Kustomization'?",
    ),
    "setting with an unknown plugin": (
        SETTINGS + "plugins: {disabled: [gti]}\n",
        "0.yaml:4: Settings: $.spec.plugins.disabled[0]: unknown plugin 'gti'",
    ),
    "setting with a cluster that is not declared": (
        SETTINGS + "homeCluster: produktion\n---\n"
        "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: production}\nspec: {sandbox: {}}\n",
        "0.yaml:4: Settings: $.spec.homeCluster: Cluster/produktion is not declared; did you mean 'production'?",
    ),
    "settings twice": (
        SETTINGS + "readOnly: true\n---\n" + SETTINGS + "readOnly: false\n",
        "0.yaml:6: Settings: declared twice, first at 0.yaml:1; remove one",
    ),
    "secret that is not base64": (
        SECRET + "data:\n  password: hunter2!\n",
        "0.yaml:5: Secret/flux-system/git: $.data.password: is not base64; encode it, or use stringData",
    ),
    "secret with a number": (
        SECRET + "stringData:\n  pin: 1234\n",
        "0.yaml:4: Secret/flux-system/git: $.stringData[...]: Expected `str`, got `int`",
    ),
}


@pytest.mark.parametrize(("text", "message"), CASES.values(), ids=CASES.keys())
def test_a_mistake_is_told_with_place_object_path_and_remedy(declare, text, message):
    with pytest.raises(ConfigError) as caught:
        declare(text)
    assert str(caught.value) == message
    assert isinstance(caught.value, UsageError)


def test_a_text_that_is_not_yaml_is_told_with_line_and_column(declare):
    with pytest.raises(ConfigError, match=r"^0\.yaml:2: column 1: \w+"):
        declare("a: [1\n")


def test_a_wrong_reference_may_be_a_matter_of_namespace(declare):
    with pytest.raises(ConfigError, match=r"team-a/app is not declared; did you mean GitRepository/flux-system/app\?$"):
        declare(GIT + "---\n" + APP.replace("name: apps", "name: apps\n  namespace: team-a"))


def test_all_mistakes_of_all_files_are_told_at_once(declare):
    with pytest.raises(ConfigError) as caught:
        declare(
            {"b.yaml": "a: [1\n", "a.yaml": GIT.replace("1m", "x") + "---\n" + APP.replace("prune: true", "prune: 1")}
        )
    assert [(p.place.file, p.place.line) for p in caught.value.problems] == [
        ("0/a.yaml", 6),
        ("0/a.yaml", 14),
        ("0/b.yaml", 2),
    ]
    assert str(caught.value).count("\n") == 2


def test_a_broken_object_is_no_dangling_reference_of_another(declare):
    with pytest.raises(ConfigError) as caught:
        declare(GIT.replace("1m", "x") + "---\n" + APP)
    assert len(caught.value.problems) == 1


def test_a_folder_of_configurations_is_told_before_what_follows_from_it(declare):
    cluster = "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: try-out}\nspec: {sandbox: {}}\n"
    with pytest.raises(ConfigError) as caught:
        declare({f"{name}/deeper/gitopsd.yaml": cluster + "---\n" + GIT for name in ("one", "two", "three")})
    told, *rest = str(caught.value).splitlines()
    assert told == "0: holds several configurations (one, three, two); name one of them with -c"
    assert len(rest) == 4
    assert all(": declared twice, first at 0/one/deeper/gitopsd.yaml:" in line for line in rest)


def test_one_configuration_in_several_folders_is_one(declare):
    cluster = "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: try-out}\nspec: {sandbox: {}}\n"
    with pytest.raises(ConfigError, match=r"^0/gitopsd\.yaml:1: Cluster/try-out: declared twice"):
        declare({"clusters/gitopsd.yaml": cluster, "gitopsd.yaml": cluster})


def test_an_object_declared_in_two_files_of_one_c_names_both(declare):
    with pytest.raises(ConfigError, match=r"^0/b\.yaml:1: .* declared twice, first at 0/a\.yaml:1; remove one$"):
        declare({"a.yaml": GIT, "b.yaml": GIT})


def test_two_cycles_are_told_each(declare):
    with pytest.raises(ConfigError) as caught:
        declare(GIT + "---\n" + depends("a", "b") + depends("b", "a") + depends("c", "d") + depends("d", "c"))
    assert [problem.subject for problem in caught.value.problems] == [
        "Kustomization/flux-system/a",
        "Kustomization/flux-system/c",
    ]


def test_a_source_that_waits_for_an_app_that_uses_it_is_a_cycle(declare):
    late = GIT.replace("{name: app}", "{name: app, annotations: {gitopsd.io/depends-on: Kustomization/apps}}")
    with pytest.raises(
        ConfigError,
        match=r"GitRepository/flux-system/app -> Kustomization/flux-system/apps -> GitRepository/flux-system/app",
    ):
        declare(late + "---\n" + APP)


def test_an_error_in_the_item_of_a_list_has_its_line(declare):
    items = "apiVersion: v1\nkind: List\nitems:\n- " + GIT.replace("1m", "5").replace("\n", "\n  ")
    with pytest.raises(ConfigError, match=r"^0\.yaml:9: GitRepository/flux-system/app: \$\.spec\.interval: "):
        declare(items)


def test_the_line_counts_from_the_file_and_not_from_the_document(declare):
    first = GIT.replace("name: app", "name: other")
    with pytest.raises(ConfigError, match=r"^0\.yaml:16: "):
        declare("# a note\n---\n" + first + "---\n# more\n" + GIT.replace("1m", "5"))


def test_a_kind_whose_plugin_failed_to_load_says_so(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(GIT)
    row = PluginInfo(name="git", distribution="x", version="1", state="failed", error="ImportError: no dulwich")
    with pytest.raises(ConfigError, match=r"plugins that failed to load: git \(ImportError: no dulwich\)$"):
        home.declare(documents.gather([file]), Registry(plugins=(row,)))


def test_an_override_takes_the_mistakes_of_what_it_overrides_away(declare):
    assert len(declare(GIT.replace("1m", "x"), GIT).objects) == 1


def test_broken_settings_do_not_hide_other_mistakes(declare):
    with pytest.raises(ConfigError) as caught:
        declare(SETTINGS + "instance: Upper\n---\n" + GIT.replace("1m", "x"))
    assert len(caught.value.problems) == 2
