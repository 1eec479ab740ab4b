"""Every verb on the sandbox: what it prints, and its exit code; as a process of its own where that matters."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from gitopsd.plugin import yaml

CLUSTER_LINE = re.compile(r"cluster sandbox http://127\.0\.0\.1:\d+ context sandbox")

pytestmark = pytest.mark.timeout(180)  # on a machine that may be busy


def config_map(name, value):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: default}}\ndata: {{key: {value}}}\n"


def first_line(ended):
    return ended.stdout.splitlines()[0]


def test_check_says_what_is_good_and_what_is_not_served(applied):
    shown = applied.call("check", "--sandbox").stdout.splitlines()
    assert shown[0] == "✔ 3 objects in gitopsd.yaml" or shown[0].endswith("gitopsd.yaml")
    assert "! HelmRelease/flux-system/chart: not served yet" in shown
    assert any(CLUSTER_LINE.search(line) and line.startswith("✔") for line in shown)
    assert any(line.startswith("✔ GitRepository/flux-system/repo: main@sha1:") for line in shown)


def test_check_names_what_would_go_wrong(project):
    project.config.write_text(project.config.read_text().replace("./repository", "./nowhere"))
    shown = project.call("check", "--sandbox", code=1).stdout
    assert re.search(r"✗ .*nowhere", shown)


def test_a_summary_begins_with_the_cluster(applied):
    for args in (("tree",), ("diff",), ("reconcile", "--once")):
        assert CLUSTER_LINE.fullmatch(first_line(applied.call(*args, "--sandbox"))), args


def test_outside_a_terminal_there_are_no_colours(applied):
    for args in (("get",), ("tree", "--sandbox"), ("diff", "--sandbox"), ("plugins",)):
        ended = applied.run(*args)
        assert "\x1b" not in ended.stdout + ended.stderr


def test_get_lists_every_object_with_its_revision(applied):
    header, *rows = applied.call("get").stdout.splitlines()
    assert header.split() == ["NAMESPACE", "NAME", "REVISION", "SUSPENDED", "READY", "MESSAGE"]
    assert [row.split()[1] for row in rows] == ["gitrepository/repo", "helmrelease/chart", "kustomization/web"]
    assert re.search(r"main@sha1:[0-9a-f]{8} +False +True +Applied revision: main@sha1:", rows[2])


def test_get_prints_objects_with_the_status_of_flux(applied):
    [document] = json.loads(applied.call("get", "ks/web", "-o", "json").stdout)
    ready = next(c for c in document["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "ReconciliationSucceeded")
    assert [entry["id"] for entry in document["status"]["inventory"]["entries"]] == [
        f"default_{name}__ConfigMap" for name in "abcd"
    ]
    [same] = [d.value for d in yaml.read_all(applied.call("get", "ks/web", "-o", "yaml").stdout.encode())]
    assert same == document


CHILD = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: child, namespace: flux-system}
spec: {interval: 10m, path: ./child, prune: true, sourceRef: {kind: GitRepository, name: repo}}
"""


def test_children_are_shown_with_their_parent_where_no_daemon_runs(project):
    project.commit({"web/child.yaml": CHILD, "child/z.yaml": config_map("z", "one")})
    project.call("reconcile", "--once", "--sandbox")
    header, *rows = project.call("get").stdout.splitlines()
    assert header.split()[:3] == ["NAMESPACE", "NAME", "PARENT"]
    assert [row.split()[1:3] for row in rows if "kustomization/child" in row] == [
        ["kustomization/child", "kustomization/web"]
    ]
    [shown] = [d.value for d in yaml.read_all(project.call("get", "ks/child", "-o", "yaml").stdout.encode())]
    assert shown["metadata"]["annotations"]["gitopsd.io/owner"] == "Kustomization/flux-system/web"
    assert shown["spec"]["path"] == "./child"
    assert shown["status"]["lastAppliedRevision"].startswith("main@sha1:")
    tree = project.call("tree", "ks/web", "--sandbox").stdout
    assert re.search(
        r"├── Kustomization/flux-system/child True main@sha1:\w{8}\n│   └── ConfigMap/default/z Current", tree
    )
    assert "ConfigMap/default/z Current" in project.call("tree", "ks/child", "--sandbox").stdout


def test_a_broken_child_makes_the_exit_code_and_is_shown_by_its_parent(project):
    project.commit({"web/child.yaml": CHILD.replace("10m", "often")})
    assert "what it declares is broken: Kustomization/flux-system/child: $.spec.interval" in (
        project.call("reconcile", "--once", "--sandbox", code=1).stdout
    )
    shown = project.call("get", code=1).stdout
    assert re.search(r"kustomization/child +kustomization/web +False +False +\$\.spec\.interval: 'often'", shown)
    assert re.search(r"kustomization/web .* everything else was applied, but", shown)
    project.call("get", "ks/child", "-o", "json", code=1)


def test_tree_shows_what_the_last_run_came_to(reconciled):
    reconciled.commit({"web/a.yaml": "kind: ConfigMap\n"})
    reconciled.call("reconcile", "--once", "--sandbox", code=1)
    reconciled.commit({"web/a.yaml": config_map("a", "two")})
    shown = reconciled.call("tree", "ks/web", "--sandbox").stdout
    assert re.search(r"^Kustomization/flux-system/web False .*a\.yaml", shown, re.M)
    assert "├── ConfigMap/default/a Current" in shown


def test_names_are_for_xargs(applied):
    assert applied.call("get", "-o", "name").stdout.split() == [
        "GitRepository/flux-system/repo", "HelmRelease/flux-system/chart", "Kustomization/flux-system/web",
    ]  # fmt: skip
    assert applied.call("tree", "--sandbox", "-o", "name").stdout.split() == [f"ConfigMap/default/{n}" for n in "abcd"]
    assert applied.call("diff", "--sandbox", "-o", "name").stdout == ""


@pytest.mark.parametrize("verb", ["tree", "diff"])
def test_machines_read_json_and_yaml(applied, verb):
    for shape in ("json", "yaml"):
        shown = applied.call(verb, "--sandbox", "-o", shape, "ks/web").stdout.encode()
        [value, *_] = [json.loads(shown)] if shape == "json" else [d.value for d in yaml.read_all(shown)]
        [found] = value["apps"] if verb == "diff" else value if shape == "json" else [value]
        assert found["view"]["ref"]["name"] == "web"
    assert isinstance(msgspec.json.decode(applied.call("plugins", "-o", "json").stdout), list)


def test_tree_shows_health(applied):
    lines = applied.call("tree", "--sandbox").stdout.splitlines()
    assert any(re.match(r"Kustomization/flux-system/web True main@sha1:\w{8}$", line) for line in lines)
    assert "├── ConfigMap/default/a Current" in lines


def test_diff_shows_each_change_and_leaves_the_status_alone(reconciled):
    before = reconciled.call("get", "-o", "json").stdout
    reconciled.commit({"web/a.yaml": config_map("a", "two"), "web/b.yaml": None, "web/e.yaml": config_map("e", "new")})
    shown = reconciled.call("diff", "--sandbox", code=4).stdout
    assert "  ~ update ConfigMap/default/a\n      data.key: one -> two\n" in shown
    assert "  + create ConfigMap/default/e\n" in shown
    assert "  - delete ConfigMap/default/b\n" in shown
    assert "apiVersion" not in shown
    status = json.loads(reconciled.call("get", "ks/web", "-o", "json", code=0).stdout)[0]["status"]
    assert status == json.loads(before)[2]["status"]
    assert reconciled.call("diff", "--sandbox", "-o", "name", code=4).stdout == "Kustomization/flux-system/web\n"


def test_diff_that_cannot_be_made_fails(project):
    project.commit({"web/kustomization.yaml": "resources: [missing.yaml]\n"})
    project.call("diff", "--sandbox", code=1)


def test_a_named_object_is_reconciled_after_its_source_and_nothing_else_is(project):
    project.config.write_text(
        project.config.read_text() + "---\n" + project.config.read_text().split("---\n")[1].replace("web", "other")
    )
    project.commit({"other/z.yaml": config_map("z", "one")})
    shown = project.call("reconcile", "ks/web", "--sandbox").stdout
    assert "  + create ConfigMap/default/a\n" in shown
    assert project.call("tree", "--sandbox", "-o", "name").stdout.split() == [f"ConfigMap/default/{n}" for n in "abcd"]


def test_reconcile_says_by_its_exit_code_how_it_went(project):
    project.commit({"web/a.yaml": "kind: ConfigMap\n"})
    shown = project.run("reconcile", "--once", "--sandbox", code=1)
    assert "False" in shown.stdout
    assert "a.yaml" in shown.stdout


def test_read_only_writes_nothing(project):
    shown = project.call("reconcile", "--once", "--sandbox", "--read-only").stdout
    assert "would change" in shown
    assert project.call("tree", "--sandbox", "-o", "name").stdout == ""


def test_what_is_not_done_in_time_is_exit_code_3(project):
    """Nobody ever makes the object that the app waits for."""
    never = "healthChecks: [{kind: Deployment, name: never, namespace: default}], prune: true"
    project.config.write_text(project.config.read_text().replace("prune: true", never))
    shown = project.call("reconcile", "--once", "--sandbox", "--timeout", "4s", code=3)
    assert "not everything was done within --timeout; `gitopsd get` says what is waited for" in shown.stderr


def test_a_suspended_app_is_left_alone_until_resumed(reconciled):
    shown = reconciled.call("suspend", "ks/web", "--sandbox", "--for", "8h", "--reason", "incident 42").stdout
    assert re.search(r"kustomization/web +\S* +True ", shown)
    reconciled.commit({"web/a.yaml": config_map("a", "two")})
    assert "incident 42" in reconciled.call("reconcile", "--once", "--sandbox").stdout
    assert " suspended" in reconciled.call("tree", "ks/web", "--sandbox").stdout
    assert re.search(r"kustomization/web +\S* +False +True ", reconciled.call("resume", "ks/web", "--sandbox").stdout)
    reconciled.call("diff", "--sandbox")


def test_suspending_applies_nothing(project):
    project.call("suspend", "ks/web", "--sandbox")
    assert project.call("tree", "--sandbox", "-o", "name").stdout == ""


def test_a_source_is_not_suspended_here(project):
    shown = project.call("suspend", "gitrepo/repo", "--sandbox", code=2).stderr
    assert "only apps can be suspended or approved here; for a source set spec.suspend" in shown


def test_deletions_wait_for_an_approval(reconciled):
    reconciled.commit(dict.fromkeys(("web/a.yaml", "web/b.yaml", "web/c.yaml")))
    assert "approve" in reconciled.call("reconcile", "--once", "--sandbox", code=1).stdout
    assert len(reconciled.call("tree", "--sandbox", "-o", "name").stdout.split()) == 4
    assert (
        "no such plan waits" in reconciled.call("approve", "ks/web", "--sandbox", "--plan", "sha256:0", code=2).stderr
    )
    reconciled.call("approve", "ks/web", "--sandbox", "--reason", "the old stack goes")
    assert reconciled.call("tree", "--sandbox", "-o", "name").stdout.split() == ["ConfigMap/default/d"]


def test_nothing_to_approve(applied):
    shown = applied.call("approve", "ks/web", "--sandbox", code=2).stderr
    assert "Kustomization/flux-system/web: no such plan waits for an approval; `gitopsd diff" in shown


def test_a_declared_app_is_not_deleted_and_nothing_is_asked(reconciled):
    refused = reconciled.call("delete", "ks/web", "--sandbox", code=2)
    assert "└── ConfigMap/default/d Current" in refused.stdout
    assert "gitopsd.yaml:6); remove that first" in refused.stderr
    assert len(reconciled.call("tree", "--sandbox", "-o", "name").stdout.split()) == 4


def test_what_a_vanished_declaration_applied_is_kept_until_its_deletion_is_confirmed(reconciled):
    source, _, rest = reconciled.config.read_text().partition("---\n")
    reconciled.config.write_text(source + "---\n" + rest.partition("---\n")[2])
    refused = reconciled.run("delete", "ks/web", "--sandbox", stdin="n\n", code=1)
    asked = refused.stdout
    assert refused.stderr.endswith("Aborted!\n")
    assert "Traceback" not in refused.stderr
    assert "its declaration vanished; what it applied is kept until `gitopsd delete`" in asked
    assert "└── ConfigMap/default/d Current" in asked
    assert "  - delete ConfigMap/default/a\n" in reconciled.call("delete", "ks/web", "--sandbox", "--yes").stdout
    assert reconciled.call("tree", "--sandbox", "-o", "name").stdout == ""


def test_warnings_are_shown_below_the_table_and_in_the_status(project):
    project.config.write_text(project.config.read_text().replace("prune: true", "prune: true, validation: client"))
    project.call("reconcile", "--once", "--sandbox")
    said = "spec.validation is a field of older versions of Flux"
    assert f"\n! Kustomization/flux-system/web: {said}" in project.call("get").stdout
    [document] = json.loads(project.call("get", "ks/web", "-o", "json").stdout)
    [warning] = [c for c in document["status"]["conditions"] if c["type"] == "Warning"]
    assert said in warning["message"]


def test_a_cluster_that_does_not_answer_is_named(project):
    (project.folder / "kubeconfig").write_text(
        "{apiVersion: v1, kind: Config, contexts: [{name: far, context: {cluster: c, user: u}}], "
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {}}]}"
    )
    shown = project.call("check", "--kubeconfig", "kubeconfig", "--context", "far", code=1).stdout
    assert "127.0.0.1:1" in shown
    shown = project.call("check", "--kubeconfig", "kubeconfig", "--context", "near", code=1).stdout
    assert "near" in shown
    assert "far" in shown
