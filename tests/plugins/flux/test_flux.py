from __future__ import annotations

import gitopsd_plugins.flux as plugin
from gitopsd.plugin import registry


def test_every_kind_of_flux_that_is_not_served_is_known_by_its_group():
    found = set(plugin.gitopsd_unserved())
    assert ("helm.toolkit.fluxcd.io", "HelmRelease") in found
    assert ("source.extensions.fluxcd.io", "ArtifactGenerator") in found
    assert all(group.endswith(".fluxcd.io") or group == "fluxcd.controlplane.io" for group, _ in found)


def test_the_kinds_of_the_main_job_are_left_to_the_plugins_that_serve_them():
    assert not {kind for _, kind in plugin.gitopsd_unserved()} & {"GitRepository", "Kustomization"}


def test_it_is_found_by_its_entry_point():
    found = registry.load()
    assert "flux" in {row.name for row in found.plugins if row.state == "loaded"}
    assert ("helm.toolkit.fluxcd.io", "HelmRelease") in found.unserved
