"""`gitopsd plan`, as its users start it and in this process."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.timeout(180)  # some of them are processes of their own, on a machine that may be busy


def config_map(name, value):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: default}}\ndata: {{key: {value}}}\n"


def test_a_branch_a_folder_and_what_is_declared(reconciled):
    reconciled.repository.branch("feature", reconciled.commit({}))
    reconciled.repository.commit({"web/a.yaml": config_map("a", "two"), "web/b.yaml": None}, branch="feature")
    shown = reconciled.run("plan", "--revision", "feature", "--sandbox", code=4).stdout
    assert "GitRepository/flux-system/repo feature@sha1:" in shown
    assert "  ~ update ConfigMap/default/a\n      data.key: one -> two\n" in shown
    assert "  - delete ConfigMap/default/b\n" in shown
    assert shown.endswith("Plan: 1 to update, 1 to delete; 2 unchanged\n")

    assert reconciled.run("plan", "--sandbox").stdout.endswith("Plan: no change; 4 unchanged\n")

    for name in "abcde":
        (reconciled.folder / "work/web").mkdir(parents=True, exist_ok=True)
        (reconciled.folder / f"work/web/{name}.yaml").write_text(config_map(name, "one"))
    found = json.loads(reconciled.run("plan", "--path", "work", "--sandbox", "-o", "json", code=4).stdout)
    assert found["summary"] == {"unchanged": 4, "create": 1}
    assert [c["name"] for c in found["apps"][0]["changes"]] == ["e"]


def test_offline_asks_nobody_and_says_so(project):
    shown = project.call("plan", "--offline", "--path", str(project.folder), code=1).stdout
    assert "OFFLINE" in shown.splitlines()[0]
    (project.folder / "w/web").mkdir(parents=True)
    (project.folder / "w/web/a.yaml").write_text(config_map("a", "one"))
    shown = project.call("diff", "--offline", code=4).stdout
    assert shown.endswith("Plan: 4 to create\n")
    assert not (project.folder / "state/sandbox").exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--revision", "a b"), "'a b' is neither a commit of 40 hex digits nor a name that Git allows"),
        (("--path", "nowhere"), "nowhere: no such folder"),
        (("--revision", "nope"), "neither branch nor tag 'nope'"),
    ],
)
def test_content_that_is_not_there_fails_by_name(project, args, told):
    assert told in project.call("plan", "--offline", *args, code=1).stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--sandbox", "--offline"), "--offline asks no cluster; leave out --sandbox and --context"),
        (("--offline", "gitrepo/repo"), "has no plan; only apps have"),
        (("--offline", "ks/nope"), "no such object"),
        (("--offline", "--revision", "x", "--path", "."), "two revisions or folders stand in for the same source"),
    ],
)
def test_mistakes_of_usage(project, args, told):
    assert told in project.call("plan", *args, code=2).stderr


def test_a_plan_beside_the_daemon_and_a_shadow(project):
    project.repository.branch("feature", project.commit({}))
    project.repository.commit({"web/e.yaml": config_map("e", "new")}, branch="feature")
    with project.daemon("--sandbox", "--read-only"):
        project.call("reconcile", "ks/web")
        assert "read-only: would change 4 objects (4 create)" in project.call("get").stdout
        assert "Plan: 4 to create" in project.call("diff", code=4).stdout
        assert "Plan: 5 to create" in project.call("plan", "--revision", "feature", "--offline", code=4).stdout
        assert "runs read-only" in project.call("suspend", "ks/web", code=1).stderr
