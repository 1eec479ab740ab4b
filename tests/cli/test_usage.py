"""Wrong input: one clear message, and exit code 2. Nothing is started."""

from __future__ import annotations

import json

import pytest

from gitopsd.cli.main import VERBS

NO_CLUSTER = (
    "gitopsd: no cluster is named: declare a Cluster object, or name one with --context NAME (of --kubeconfig or $KUBECONFIG) "
    "or --sandbox; the current context of a kubeconfig is never taken by itself\n"
)
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: production
contexts: [{name: production, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: u, user: {}}]
"""
CLUSTER = "apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {name: one}\nspec: {sandbox: {}}\n"
WITH_NAMES = ("approve", "delete", "resume", "suspend")
OF_CLUSTERS = (
    "check",
    "diff",
    "tree",
    "run",
    "approve x",
    "delete x",
    "resume x",
    "suspend x",
    "reconcile --once",
    "reconcile x",
)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_help_shows_examples(here, verb):
    shown = here(verb, "--help")
    assert shown.exit_code == 0
    assert f"Examples:\n    gitopsd {verb}" in shown.output


@pytest.mark.parametrize("words", ["sandbox up", "build kustomization", "store gc", "store verify"])
def test_every_help_below_a_verb_shows_examples(here, words):
    assert f"Examples:\n    gitopsd {words}" in here(*words.split(), "--help").output


def test_the_first_help_lists_every_verb_and_the_exit_codes(here):
    shown = here("--help").output
    assert [verb for verb in (*VERBS, "sandbox") if f"\n  {verb} " not in shown] == []
    for code in ("0 all ready", "1 something failed", "2 wrong configuration", "3 timed out", "4 changes"):
        assert code in " ".join(shown.split())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("recncile", "No such command 'recncile'. Did you mean 'reconcile'?"),
        ("sandbx", "No such command 'sandbx'. Did you mean 'sandbox'?"),
        ("import flx", "No such command 'flx'. Did you mean 'flux'?"),
        ("xyzzy", "No such command 'xyzzy'."),
    ],
)
def test_a_verb_that_is_none(here, said, told):
    shown = here(*said.split())
    assert shown.exit_code == 2
    assert shown.stderr.endswith(f"Error: {told}\n")


def test_something_to_build_that_is_none(here):
    shown = here("build", "chart")
    assert shown.exit_code == 2
    assert "No such command 'chart'" in shown.stderr


@pytest.mark.parametrize("verb", WITH_NAMES)
def test_a_missing_name(here, verb):
    shown = here(verb)
    assert shown.exit_code == 2
    assert "Missing argument 'NAME'" in shown.stderr


def test_reconcile_wants_names_or_once(here, declared):
    for args in ((), ("--once", "ks/web")):
        shown = here("reconcile", *args)
        assert shown.exit_code == 2
        assert "name objects, or say --once for everything" in shown.stderr


def test_read_only_goes_with_once(here, declared):
    shown = here("reconcile", "ks/web", "--read-only")
    assert shown.exit_code == 2
    assert "see `gitopsd diff NAME`" in shown.stderr


@pytest.mark.parametrize("args", [("suspend", "ks/web", "--for"), ("reconcile", "--once", "--timeout")])
def test_a_time_without_unit(here, declared, args):
    shown = here(*args, "8")
    assert shown.exit_code == 2
    assert "'8' is not a duration; write it as 30s, 5m or 1h30m" in shown.stderr


def test_an_output_that_is_none(here):
    shown = here("get", "-o", "xml")
    assert shown.exit_code == 2
    assert "'table', 'json', 'yaml', 'name'" in shown.stderr


def test_a_schema_of_nothing(here):
    shown = here("schema", "Foo")
    assert shown.exit_code == 2
    said, _, known = shown.stderr.partition(" (known: ")
    assert said == "gitopsd: no schema of 'Foo'"
    kinds = known.removesuffix(")\n").split(", ")
    assert kinds == sorted(kinds)
    assert {"Cluster", "ConfigMap", "GitRepository", "Kustomization", "Secret", "Settings"} <= set(kinds)


@pytest.mark.parametrize("words", OF_CLUSTERS)
def test_without_a_cluster_nothing_runs(here, declared, words):
    shown = here(*words.split())
    assert (shown.exit_code, shown.stderr, shown.stdout) == (2, NO_CLUSTER, "")


@pytest.mark.parametrize("words", ["check", "reconcile --once"])
def test_the_current_context_is_never_taken(here, declared, words):
    """Neither from $KUBECONFIG nor from the home folder."""
    file = here.write(".kube/config", KUBECONFIG)
    shown = here(*words.split(), env={"KUBECONFIG": str(file)})
    assert (shown.exit_code, shown.stderr) == (2, NO_CLUSTER)


def test_a_kubeconfig_names_no_cluster(here, declared):
    shown = here("check", "--kubeconfig", str(here.write("k", KUBECONFIG)))
    assert (shown.exit_code, shown.stderr) == (
        2,
        "gitopsd: --kubeconfig names a file, not a cluster; add --context NAME\n",
    )


def test_two_ways_to_name_a_cluster(here, declared):
    shown = here("check", "--sandbox", "--context", "production")
    assert (shown.exit_code, shown.stderr) == (
        2, "gitopsd: --sandbox and --context name two different clusters; choose one\n"
    )  # fmt: skip


def test_without_a_configuration(here):
    shown = here("get")
    assert (shown.exit_code, shown.stderr) == (
        2, "gitopsd: no configuration: name one with -c FILE-OR-FOLDER, or write ./gitopsd.yaml\n"
    )  # fmt: skip


def test_a_file_that_is_missing(here):
    shown = here("get", "-c", "nope.yaml")
    assert shown.exit_code == 2
    assert (
        shown.stderr
        == "gitopsd: nope.yaml: cannot be read: no such file or directory; name an existing file or folder\n"
    )


def test_a_misspelt_field_is_named_with_its_place(here):
    here.write("gitopsd.yaml", CLUSTER.replace("sandbox", "sandbx"))
    shown = here("check")
    assert shown.exit_code == 2
    assert "gitopsd.yaml:4" in shown.stderr
    assert "did you mean 'sandbox'?" in shown.stderr


def test_a_name_that_nobody_declares(here, declared):
    shown = here("get", "ks/nope")
    assert (shown.exit_code, shown.stderr) == (
        2, "gitopsd: ks/nope: no such object; `gitopsd get` lists what is declared\n"
    )  # fmt: skip


def test_the_file_here_is_found(here, declared):
    assert "kustomization/web" in here("get").stdout


def test_the_environment_goes_before_the_file_here(here, declared):
    other = here.write("other/one.yaml", declared[0].read_text().replace("{name: web}", "{name: other}"))
    assert "kustomization/other" in here("get", env={"GITOPSD_CONFIG": str(other)}).stdout


def test_the_option_goes_before_the_environment(here, declared):
    shown = here("get", "-c", "gitopsd.yaml", env={"GITOPSD_CONFIG": "/does/not/exist"})
    assert "kustomization/web" in shown.stdout


def test_a_later_file_overrides_an_earlier_one(here, declared):
    here.write("later.yaml", declared[0].read_text().split("---\n")[1].replace("./web", "./later"))
    shown = here("get", "ks/web", "-o", "yaml", "-c", "gitopsd.yaml", "-c", "later.yaml")
    assert "path: ./later" in shown.stdout
    assert here("get", "-o", "name", "-c", "gitopsd.yaml", "-c", "later.yaml").stdout.split() == [
        "GitRepository/flux-system/repo", "HelmRelease/flux-system/chart", "Kustomization/flux-system/web",
    ]  # fmt: skip


def test_what_nobody_looked_at_is_unknown_and_not_ready(here, declared):
    shown = here("get")
    assert shown.exit_code == 1
    assert "waiting to be reconciled" in shown.stdout
    assert "not served yet" in shown.stdout


def test_a_plugin_that_does_not_load_is_a_row_with_its_error_and_exit_code_1(here, monkeypatch):
    here.write("site/broken-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    here.write("site/broken-1.0.dist-info/entry_points.txt", "[gitopsd]\nbroken = no_such_module\n")
    monkeypatch.syspath_prepend(here.folder / "site")
    shown = here("plugins")
    assert shown.exit_code == 1
    assert "broken 1.0" in shown.stdout
    assert "No module named 'no_such_module'" in shown.stdout


def test_plugins_are_listed_with_what_they_offer(here):
    shown = here("plugins").stdout
    assert "kinds: source.toolkit.fluxcd.io/GitRepository" in shown
    assert "accesses: kubeconfig, kubeconfigSecret, kubeconfigConfigMap, inCluster" in shown


def test_the_schema_is_json(here):
    assert json.loads(here("schema", "Kustomization").stdout)
    assert json.loads(here("schema").stdout)


def test_the_store_is_looked_after(here, declared):
    assert here("store", "gc").stdout == "0 pieces removed, 0 bytes freed\n"
    shown = here("store", "verify")
    assert (shown.exit_code, shown.stdout.split(",")[0]) == (0, "0 artifacts")


def test_a_kustomization_is_built(here):
    here.write("app/kustomization.yaml", "resources: [a.yaml]\nnamePrefix: x-\n")
    here.write("app/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    shown = here("build", "kustomization", "app")
    assert shown.exit_code == 0
    assert "name: x-a" in shown.stdout


def test_a_folder_without_kustomization_cannot_be_built(here):
    shown = here("build", "kustomization", ".")
    assert shown.exit_code == 1
    assert "unable to find one of kustomization.yaml" in shown.stderr
