"""`gitopsd check` as its users start it: advice with its place, what --strict and --fix do, and the rights that a plan needs."""

from __future__ import annotations

import pytest
from cli.conftest import CONFIG, Project

pytestmark = pytest.mark.timeout(180)  # each command is a process of its own, on a machine that may be busy

LATE = CONFIG.replace(
    "spec: {url: ./repository, interval: 10m", "spec: {url: ./repository, interval: 15m  # often enough\n "
)


def test_advice_names_file_and_line(project: Project) -> None:
    shown = project.call("check", "-c", "gitopsd.yaml", "--sandbox").stdout
    assert (
        "! gitopsd.yaml:9: Kustomization/flux-system/web: $.spec: neither wait nor healthChecks: it is ready as soon as it is "
        "applied, whether it runs or not; set spec.wait: true [no-health]"
    ) in shown.splitlines()


def test_strict_makes_a_warning_an_error_of_its_own_kind(project: Project) -> None:
    strict = project.call("check", "-c", "gitopsd.yaml", "--sandbox", "--strict", code=2)
    assert strict.stdout.splitlines()[-1].endswith("[no-health]")


def test_kinds_that_are_not_served_are_no_warning(project: Project) -> None:
    text = CONFIG.replace("prune: true", "prune: true, wait: true")
    project.config.write_text(text)
    assert (
        "! HelmRelease/flux-system/chart: not served yet"
        in project.call("check", "-c", "gitopsd.yaml", "--sandbox", "--strict").stdout
    )


def test_fix_makes_the_safe_edits_and_keeps_comments(project: Project) -> None:
    project.config.write_text(f"# ours\n{LATE}")
    shown = project.call("check", "-c", "gitopsd.yaml", "--sandbox", "--fix").stdout
    assert "✔ mended gitopsd.yaml:5: GitRepository/flux-system/repo: $.spec.interval:" in shown
    assert "✔ mended gitopsd.yaml:11: Kustomization/flux-system/web: $.spec:" in shown
    changed = project.config.read_text()
    assert changed == f"# ours\n{LATE}".replace("15m", "10m").replace(
        "{interval: 10m, path", "{wait: true, interval: 10m, path"
    )
    again = project.call("check", "-c", "gitopsd.yaml", "--sandbox", "--fix", "--strict").stdout
    assert "mended" not in again
    assert project.config.read_text() == changed


def test_pruning_is_never_switched_on_by_itself(project: Project) -> None:
    project.config.write_text(CONFIG.replace("prune: true", "prune: false, wait: true"))
    shown = project.call("check", "-c", "gitopsd.yaml", "--sandbox", "--fix").stdout
    assert "[prune-off]" in shown
    assert "prune: false" in project.config.read_text()


def test_what_is_rendered_is_looked_at_too(project: Project) -> None:
    job = "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: a, namespace: default}\nspec: {}\n"
    project.commit({"web/job.yaml": job})
    shown = project.call("check", "-c", "gitopsd.yaml", "--sandbox").stdout
    assert (
        "$.spec.path: renders CronJob/default/a as batch/v1beta1; use batch/v1 (gone since 1.25) [removed-version]"
        in shown
    )


def test_two_apps_that_want_the_same_are_told_with_both_names(project: Project) -> None:
    app = CONFIG.split("---\n")[1]
    project.config.write_text(CONFIG + "---\n" + app.replace("name: web", "name: twin"))
    shown = project.call("check", "-c", "gitopsd.yaml", "--sandbox", code=1).stdout
    assert "[claimed-twice]" in shown
    assert "which Kustomization/flux-system/twin wants, too" in shown
