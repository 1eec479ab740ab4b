from __future__ import annotations

from dataclasses import replace

import pytest

from gitopsd.config import reload
from gitopsd.config.reload import Reload
from gitopsd.config.settings import Safety, Settings
from gitopsd.plugin import UsageError


def many(git, count):
    return "".join(git(f"r{number}") for number in range(count)) or "# nothing\n"


def test_nothing_changes_when_objects_move_or_are_written_in_another_way(declare, git, app):
    old = declare(git() + app())
    new = declare({"b.yaml": "# moved\n" + app(), "a.yaml": git()})
    assert reload.compare(old, new) == Reload()


def test_added_changed_and_removed_objects_are_told_apart(declare, git, app):
    old = declare(git() + git("old") + app())
    new = declare(git() + git("new") + app("app", "path: ./x"))
    found = reload.compare(old, new)
    assert [str(ref) for ref in found.added] == ["GitRepository/flux-system/new"]
    assert [str(ref) for ref in found.changed] == ["Kustomization/flux-system/app"]
    assert [str(ref) for ref in found.removed] == ["GitRepository/flux-system/old"]


def test_clusters_secrets_and_settings_have_changes_of_their_own(declare):
    def text(way, password, level):
        return (
            f"apiVersion: gitopsd.io/v1alpha1\nkind: Cluster\nmetadata: {{name: x}}\nspec: {{{way}: }}\n---\n"
            f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{p: {password}}}\n---\n"
            f"apiVersion: gitopsd.io/v1alpha1\nkind: Settings\nspec: {{log: {{level: {level}}}, readOnly: true}}\n"
        )

    found = reload.compare(declare(text("sandbox", "a", "info")), declare(text("inCluster", "b", "debug")))
    assert found == Reload(clusters=frozenset({"x"}), secrets=frozenset({("flux-system", "s")}), settings=("log",))


@pytest.mark.parametrize(("was", "now"), [(1, 0), (2, 0), (3, 1), (10, 4), (100, 0)])
def test_a_set_that_shrinks_by_over_half_or_to_nothing_is_rejected(declare, git, was, now):
    old, new = declare(many(git, was)), declare(many(git, now))
    with pytest.raises(
        UsageError, match=f"shrank from {was} to {now} objects, so the last one stays in force"
    ) as caught:
        reload.check(old, new)
    assert caught.value.reason == "SetShrunken"


@pytest.mark.parametrize(("was", "now"), [(0, 0), (0, 5), (2, 1), (4, 2), (10, 5), (3, 9)])
def test_other_sets_are_taken(declare, git, was, now):
    reload.check(declare(many(git, was)), declare(many(git, now)))


def test_the_setting_in_the_new_files_lets_a_smaller_set_in(declare, git):
    new = replace(declare(many(git, 1)), settings=Settings(safety=Safety(shrunken_set=False)))
    reload.check(declare(many(git, 9)), new)
