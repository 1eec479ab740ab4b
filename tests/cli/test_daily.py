"""The verbs of daily work, as their users start them: beside a daemon, and without one."""

from __future__ import annotations

import json
import subprocess

import pytest
from cli.conftest import CONFIG, GITOPSD, Here, Project, config_map

pytestmark = pytest.mark.timeout(180)  # each command is a process of its own, on a machine that may be busy

BROKEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 'no name', namespace: default}\n"


def chained(project: Project) -> None:
    """Five apps, each of which depends on the one before; the second cannot be applied."""
    source = CONFIG.split("---\n")[0]
    apps = []
    for name, needs in (("one", ""), ("two", "one"), ("three", "two"), ("four", "three"), ("five", "four")):
        depends = f", dependsOn: [{{name: {needs}}}]" if needs else ""
        apps.append(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
            f"metadata: {{name: {name}}}\n"
            f"spec: {{interval: 10m, path: ./{name}, prune: true, sourceRef: {{kind: GitRepository, name: repo}}{depends}}}\n"
        )
    project.config.write_text("---\n".join([source, *apps]))
    files = {f"{name}/map.yaml": config_map(name, "value") for name in ("one", "three", "four", "five")}
    project.commit({**files, "two/map.yaml": BROKEN})


def test_why_and_trace_on_a_chain_of_five_with_one_broken_link(project: Project) -> None:
    chained(project)
    project.call("reconcile", "--once", "--sandbox", code=1)
    shown = project.call("why", "ks/five", "--sandbox").stdout.splitlines()
    heads = [
        line.strip().split(" since ")[0]
        for line in shown
        if " is " in line and "Kustomization/flux-system" in line[:40]
    ]
    assert heads[:4] == [
        "Kustomization/flux-system/five is waiting",
        "└ Kustomization/flux-system/four is waiting",
        "└ Kustomization/flux-system/three is waiting",
        "└ Kustomization/flux-system/two is failed",
    ]
    assert "no name" in "\n".join(shown)
    [links] = json.loads(project.call("why", "ks/five", "--sandbox", "-o", "json").stdout)
    assert [link["ref"]["name"] for link in links] == ["five", "four", "three", "two"]
    assert all(link["since"] for link in links)
    assert links[1]["unblock"] == "Kustomization/flux-system/three becoming ready"

    steps = json.loads(project.call("trace", "ConfigMap/default/one", "--sandbox", "-o", "json").stdout)
    assert [(step["what"], step["name"]) for step in steps[:3]] == [
        ("object", "ConfigMap/default/one"),
        ("applied by", "Kustomization/flux-system/one"),
        ("from", "GitRepository/flux-system/repo"),
    ]
    assert steps[3]["what"] == "revision"
    assert steps[3]["name"].startswith("main@sha1:")
    assert "no app owns it" in project.call("trace", "ConfigMap/default/two", "--sandbox", code=2).stderr


def test_beside_a_daemon(project: Project) -> None:
    with project.daemon("--sandbox") as daemon:
        project.run("reconcile", "ks/web")
        project.run("suspend", "ks/web", "--reason", "incident 42", "--until", "8h")
        events = [json.loads(line) for line in project.run("events", "ks/web", "-o", "json").stdout.splitlines()]
        assert [e["phase"] for e in events if e["phase"] in {"ready", "suspend", "suspended"}][-2:] == [
            "suspend",
            "suspended",
        ]
        assert any(e["changed"] == {"create": 4} for e in events)
        assert project.run("events", "--failed").stdout == ""
        logs = project.run("logs", "ks/web").stdout
        assert "Kustomization/flux-system/web" in logs
        assert "GitRepository/flux-system/repo" not in logs
        stats = json.loads(project.run("stats", "-o", "json").stdout)
        assert (stats["apps"], stats["sources"], stats["objects"], stats["suspended"]) == (1, 1, 4, 1)
        assert 0 < stats["uptime"] < 300
        rows = json.loads(project.run("history", "ks/web", "-o", "json").stdout)
        assert rows[0]["counts"] == {"suspend": 1}
        assert rows[0]["reason"].endswith(": incident 42")
        shown = project.run("why", "ks/web").stdout
        assert "is suspended" in shown
        assert "unblocks it: gitopsd resume Kustomization/flux-system/web" in shown
        assert daemon.stop() == 0
    assert json.loads(project.run("history", "-o", "json").stdout)[0] == rows[0]


def test_events_are_followed_live(project: Project) -> None:
    with project.daemon("--sandbox") as daemon:
        project.call("reconcile", "ks/web")
        with subprocess.Popen(
            [*GITOPSD, "events", "-f", "-o", "json"], cwd=project.folder, env=project.environment, stdout=subprocess.PIPE, text=True
        ) as listening:  # fmt: skip
            assert listening.stdout is not None
            first = json.loads(listening.stdout.readline())
            project.call("suspend", "ks/web", "--reason", "now")
            row = first
            while row["phase"] != "suspend":
                row = json.loads(listening.stdout.readline())
            assert row["message"].startswith("suspended: now (by ")
            assert daemon.stop() == 0
            listening.stdout.read()


@pytest.mark.parametrize("words", ["events", "logs ks/web", "stats"])
def test_verbs_of_a_daemon_say_that_none_runs(here: Here, declared: object, words: str) -> None:
    shown = here(*words.split())
    assert shown.exit_code == 2
    assert "no daemon runs on" in shown.stderr


@pytest.mark.parametrize("value", ["tomorrow", "2026-01-01T00:00:00", "2020-01-01T00:00:00Z"])
def test_a_time_that_is_none_is_refused(here: Here, declared: object, value: str) -> None:
    shown = here("suspend", "ks/web", "--sandbox", "--until", value)
    assert shown.exit_code == 2
    assert "--until" in shown.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(here: Here, shell: str) -> None:
    shown = here("completion", shell)
    assert shown.exit_code == 0
    assert "_GITOPSD_COMPLETE" in shown.stdout


def completed(project: Project, words: str) -> list[str]:
    environment = {**project.environment, "_GITOPSD_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"}
    ended = subprocess.run(
        [*GITOPSD], cwd=project.folder, env=environment, capture_output=True, text=True, timeout=40, check=False
    )
    return [line.partition(",")[2] for line in ended.stdout.splitlines() if line]


def test_names_are_completed_from_the_files_and_live_ones_from_the_daemon(project: Project) -> None:
    wanted = ["kustomization/flux-system/web"]
    assert completed(project, "gitopsd suspend kus") == wanted
    nested = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: child, namespace: flux-system}\nspec: {interval: 10m, path: ./none, prune: true, sourceRef: {kind: GitRepository, name: repo}}\n"
    project.commit({"web/child.yaml": nested, "none/a.yaml": config_map("z", "value")})
    with project.daemon("--sandbox") as daemon:
        project.call("reconcile", "ks/web")
        project.call("reconcile", "ks/child")
        assert completed(project, "gitopsd suspend kus") == ["kustomization/flux-system/child", *wanted]
        assert daemon.stop() == 0


def test_completion_of_a_broken_configuration_offers_nothing(project: Project) -> None:
    project.config.write_text("kind: [")
    assert completed(project, "gitopsd suspend kus") == []
