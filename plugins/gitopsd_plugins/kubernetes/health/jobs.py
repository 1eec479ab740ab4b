"""Health of Jobs and CronJobs. A Job is healthy when it is done, as Flux has it; kstatus alone would be content with a start."""

from __future__ import annotations

from gitopsd.plugin import Body, Verdict
from gitopsd_plugins.kubernetes.health import status
from gitopsd_plugins.kubernetes.health.status import section


def job(body: Body) -> Verdict:
    """Complete or suspended is current, Failed has failed, all else is on its way."""
    if section(body, "spec").get("suspend") is True:
        return status.current("is suspended")
    if status.is_true(body, "Failed"):
        return status.failed(status.words(status.condition(body, "Failed"), "has failed"))
    if status.is_true(body, "Complete"):
        return status.current("has completed")
    return status.progressing("has not completed yet")


def cron_job(_: Body) -> Verdict:
    """A schedule is current as soon as it is there; its Jobs have their own health."""
    return status.current()
