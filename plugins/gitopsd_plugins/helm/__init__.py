"""Helm: the declared kinds HelmRepository and HelmChart, and the sources behind them.

Importing this registers; nothing is read or asked before an object is looked at.
"""

from __future__ import annotations

from gitopsd.plugin import Kind, Source, hookimpl
from gitopsd_plugins.helm.chart_kind import HelmChart
from gitopsd_plugins.helm.chart_source import ChartSource
from gitopsd_plugins.helm.repository_kind import HelmRepository
from gitopsd_plugins.helm.repository_source import RepositorySource


@hookimpl
def gitopsd_kinds() -> list[Kind]:
    """The declared kinds."""
    return [HelmRepository(), HelmChart()]


@hookimpl
def gitopsd_sources() -> list[Source]:
    """What fetches them."""
    repositories = RepositorySource()
    return [repositories, ChartSource(repositories)]
