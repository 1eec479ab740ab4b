"""The daemon as a process of its own, and the verbs that talk to it through its socket."""

from __future__ import annotations

import json
import os
import stat

import pytest

pytestmark = pytest.mark.timeout(180)  # each command is a process of its own, on a machine that may be busy


def config_map(name, value):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: default}}\ndata: {{key: {value}}}\n"


@pytest.fixture(scope="module")
def applied(tmp_path_factory, applied):
    """A copy, since a daemon leaves more behind than tests may."""
    return applied.copied(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def served(applied):
    """A daemon over a project that was applied; tests leave it as they found it."""
    with applied.daemon("--sandbox") as running:
        applied.run("reconcile", "ks/web")
        yield running


@pytest.mark.usefixtures("served")
def test_get_shows_what_the_daemon_knows(applied):
    shown = applied.run("get").stdout
    assert shown.startswith("cluster sandbox http://127.0.0.1:")
    assert "Applied revision: main@sha1:" in shown


@pytest.mark.usefixtures("served")
def test_tree_and_diff_need_no_cluster_on_the_command_line(applied):
    assert "└── ConfigMap/default/d Current" in applied.call("tree").stdout
    assert "no change" in applied.call("diff").stdout
    assert json.loads(applied.call("tree", "ks/web", "-o", "json").stdout)[0]["view"]["ready"] is True


@pytest.mark.usefixtures("served")
def test_errors_come_through_the_socket_with_their_exit_codes(applied):
    assert applied.call("get", "ks/nope", code=2).stderr == (
        "gitopsd: ks/nope: no such object; `gitopsd get` lists what is declared\n"
    )
    assert "only apps have" in applied.call("diff", "gitrepo/repo", code=2).stderr


@pytest.mark.usefixtures("served")
def test_suspend_and_resume(applied):
    shown = applied.run("suspend", "ks/web", "--reason", "incident 42").stdout
    assert " True " in shown.splitlines()[-1]
    assert "suspended" in applied.run("tree", "ks/web").stdout
    assert "Applied revision" in applied.run("resume", "ks/web").stdout


@pytest.mark.usefixtures("served")
def test_nothing_is_done_beside_the_daemon(applied):
    assert "a daemon runs on" in applied.run("reconcile", "--once", code=2).stderr
    assert "with its own clusters; stop it" in applied.run("diff", "--sandbox", code=2).stderr


@pytest.mark.usefixtures("served")
def test_a_second_daemon_on_the_same_state_is_told_so(applied):
    shown = applied.run("run", "--sandbox", code=3).stderr
    assert "another gitopsd works with" in shown
    assert "Traceback" not in shown


@pytest.mark.usefixtures("served")
def test_a_second_daemon_takes_nothing_from_the_first(applied):
    applied.run("run", "--sandbox", code=3)
    assert "Applied revision" in applied.call("get").stdout


@pytest.mark.usefixtures("served")
def test_only_its_user_may_open_the_socket(applied):
    assert stat.S_IMODE(os.stat(applied.socket).st_mode) == 0o600


def test_a_daemons_life(project):
    """Reload by signal, a broken file, an approval, a deletion, and the end."""
    with project.daemon("--sandbox") as daemon:
        assert "  + create" in project.call("reconcile", "ks/web").stdout or "True" in project.call("get").stdout

        good = project.config.read_text()
        project.config.write_text(good + "---\n" + good.split("---\n")[1].replace("web", "other"))
        project.commit({"other/z.yaml": config_map("z", "one")})
        daemon.hang_up()
        project.call("reconcile", "gitrepo/repo")
        project.call("reconcile", "ks/other")
        assert "ConfigMap/default/z" in project.call("tree", "-o", "name").stdout

        project.config.write_text("kind: Nonsense\n")
        said = daemon.hang_up()
        assert "STATUS=follows 4 declared objects; the new configuration is not taken: " in said
        assert "gitopsd.yaml:1" in said
        assert "kustomization/other" in project.call("get").stdout, "a daemon is asked whatever the files say by now"
        assert "the last good one stays in force" in daemon.log.read_text()
        project.config.write_text(good + "---\n" + good.split("---\n")[1].replace("web", "other"))

        project.commit(dict.fromkeys(("web/a.yaml", "web/b.yaml", "web/c.yaml")))
        project.call("reconcile", "gitrepo/repo")
        assert "approve" in project.call("reconcile", "ks/web", code=1).stdout
        project.call("approve", "ks/web", "--reason", "the old stack goes")
        assert project.call("tree", "ks/web", "-o", "name").stdout == "ConfigMap/default/d\n"

        assert "its declaration brings it back" in project.call("delete", "ks/other", "--yes", code=2).stderr
        project.config.write_text(good)
        daemon.hang_up()
        words = ("delete", "ks/other", "--yes", "--until", "2100-01-01T00:00:00Z", "--reason", "replaced")
        assert "  - delete ConfigMap/default/z\n" in project.call(*words).stdout
        assert "deletion asked for until 2100-01-01T00:00:00Z: replaced" in project.call("history").stdout

        assert daemon.stop() == 0
    assert not project.socket.exists()
    assert '"event": "stopping"' in daemon.log.read_text()
    assert "Traceback" not in daemon.log.read_text()


def test_a_daemon_that_died_leaves_a_socket_in_nobodys_way(project):
    with project.daemon("--sandbox") as daemon:
        daemon.process.kill()
        daemon.process.wait()
    assert project.socket.exists()
    project.call("reconcile", "--once", "--sandbox")
    with project.daemon("--sandbox") as daemon:
        assert "Applied revision" in project.call("get").stdout
        assert daemon.stop() == 0
