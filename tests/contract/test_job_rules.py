"""What a server has against Jobs and CronJobs, and what may still change in a Job."""

from __future__ import annotations

from typing import Any

import pytest
from contract.wire import JSON_PATCH, MERGE, Json, Wire

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

POD: Json = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}], "volumes": [{"name": "v"}]}
FIXED = "field is immutable"
LEAST = "must be greater than or equal to 0"


def job(spec: Json | None = None, **pod: Any) -> Json:
    return {"metadata": {"name": "a"}, "spec": {"template": {"spec": {**POD, **pod}}, **(spec or {})}}


def cron_job(**spec: Any) -> Json:
    return {
        "metadata": {"name": "a"},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": job()["spec"]}, **spec},
    }


async def collection(wire: Wire, plural: str = "jobs") -> str:
    return f"/apis/batch/v1/namespaces/{await wire.namespace()}/{plural}"


def told(body: Json) -> list[tuple[str, str]]:
    """The fields of a refusal with the ends of what is said, without the values; a real server says some twice."""
    causes = (body.get("details") or {}).get("causes", ())
    return sorted({(cause["field"], cause["message"].rpartition(": ")[2]) for cause in causes})


async def test_a_second_source_of_a_volume_is_named_beside_what_may_not_change(wire: Wire) -> None:
    path = await collection(wire)
    await wire.make(path, job())
    patch = [{"op": "add", "path": "/spec/template/spec/volumes/0/configMap", "value": {"name": "c"}}]
    heard = await wire.ask("PATCH", f"{path}/a", patch, JSON_PATCH)
    second = "Forbidden: may not specify more than 1 volume type".rpartition(": ")[2]
    assert told(heard.body) == [("spec.template", FIXED), ("spec.template.spec.volumes[0].configMap", second)]


async def test_the_whole_spec_of_a_suspended_job_is_taken_away(wire: Wire) -> None:
    path = await collection(wire)
    await wire.make(path, job({"suspend": True}))
    heard = await wire.ask("PATCH", f"{path}/a", [{"op": "remove", "path": "/spec"}], JSON_PATCH)
    assert (heard.status, heard.body["reason"]) == (422, "Invalid")
    fields = {cause["field"] for cause in heard.body["details"]["causes"]}
    assert fields == {
        "spec.selector",
        "spec.template.metadata.labels",
        "spec.template.spec",
        "spec.template.spec.containers",
        "spec.template.spec.restartPolicy",
    }


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"nodeSelector": {"a": "b"}, "tolerations": [{"key": "a", "operator": "Exists"}]}, []),
        ({"affinity": {}}, []),
        ({"affinity": {"nodeAffinity": {}}}, []),
        ({"affinity": {"podAffinity": {}}}, ["spec.template.spec"]),
        ({"containers": [{"name": "c", "image": "i:1", "resources": {"limits": {"cpu": "1"}}}]}, []),
        ({"containers": [{"name": "c", "image": "i:2"}]}, ["spec.template.spec"]),
        ({"containers": [{"name": "d", "image": "i:1"}]}, ["spec.template.spec"]),
        ({"containers": [*POD["containers"], {"name": "d", "image": "i:1"}]}, ["spec.template.spec"]),
    ],
    ids=str,
)
async def test_what_may_change_in_a_suspended_job(wire: Wire, change: Json, fields: list[str]) -> None:
    path = await collection(wire)
    await wire.make(path, job({"suspend": True}))
    heard = await wire.ask("PATCH", f"{path}/a", {"spec": {"template": {"spec": change}}}, MERGE)
    assert [field for field, _ in told(heard.body)] == fields, heard.body


async def test_the_completions_of_an_indexed_job_follow_its_parallelism(wire: Wire) -> None:
    path = await collection(wire)
    await wire.make(path, job({"suspend": True, "completionMode": "Indexed", "completions": 1, "parallelism": 1}))
    heard = await wire.ask("PATCH", f"{path}/a", {"spec": {"completions": 2}}, MERGE)
    assert told(heard.body) == [("spec.completions", "can only be modified in tandem with spec.parallelism")]
    heard = await wire.ask("PATCH", f"{path}/a", {"spec": {"completions": 2, "parallelism": 2}}, MERGE)
    assert heard.status == 200


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"backoffLimit": -1, "parallelism": -1}, [("spec.backoffLimit", LEAST), ("spec.parallelism", LEAST)]),
        ({"completionMode": "Some"}, [("spec.completionMode", '"NonIndexed", "Indexed"')]),
        (
            {"completionMode": "Indexed", "parallelism": 2},
            [("spec.completions", "when completion mode is Indexed")],
        ),
        ({"backoffLimitPerIndex": 1}, [("spec.backoffLimitPerIndex", "requires indexed completion mode")]),
        (
            {"completionMode": "Indexed", "completions": 1, "maxFailedIndexes": 1},
            [("spec.backoffLimitPerIndex", "when maxFailedIndexes is specified")],
        ),
    ],
    ids=str,
)
async def test_what_is_wrong_with_a_job(wire: Wire, spec: Json, expected: list[tuple[str, str]]) -> None:
    heard = await wire.ask("POST", await collection(wire), job(spec))
    assert told(heard.body) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("Always", ['"OnFailure", "Never"']),
        ("", ['"OnFailure", "Never"']),
        ("X", ['"Always", "OnFailure", "Never"', '"OnFailure", "Never"']),
    ],
)
async def test_when_the_pods_of_a_job_begin_again(wire: Wire, policy: str, expected: list[str]) -> None:
    heard = await wire.ask("POST", await collection(wire), job(restartPolicy=policy))
    assert told(heard.body) == [("spec.template.spec.restartPolicy", each) for each in expected]


SCHEDULES = [
    ("0 3 * * 1-5", ""), ("*/5 0,12 1-31/2 jan-MAR ?", ""), ("@daily", ""), ("@every 1h30m", ""), ("+5 , * * *", ""),
    ("* * * *", "[* * * *]"), ("60 * * * *", "60"), ("* * 0 * *", "0"), ("* * * * 7", "7"), ("5-1 * * * *", "5-1"),
    ("1-2-3 * * * *", "1-2-3"), ("*/2/3 * * * *", "*/2/3"), ("*/0 * * * *", "*/0"), ("a * * * *", "invalid syntax"), ("*/-1 * * * *", "-1"),
    ("@often", "@often"), ("@every soon", 'time: invalid duration "soon"'), ("-1 * * * *", "invalid syntax"),
    ("TZ=UTC * * * * *", "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "end"), SCHEDULES, ids=str)
async def test_schedules(wire: Wire, schedule: str, end: str) -> None:
    heard = await wire.ask("POST", await collection(wire, "cronjobs"), cron_job(schedule=schedule))
    found = [cause["message"] for cause in (heard.body.get("details") or {}).get("causes", ())]
    assert all(each.startswith(f'Invalid value: "{schedule}": ') and each.endswith(end) for each in found), found
    assert len(found) == bool(end)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"timeZone": "Europe/Atlantis"}, [("spec.timeZone", "unknown time zone Europe/Atlantis")]),
        ({"timeZone": ""}, [("spec.timeZone", "timeZone must be nil or non-empty string")]),
        ({"failedJobsHistoryLimit": -1}, [("spec.failedJobsHistoryLimit", LEAST)]),
        ({"timeZone": "Europe/Berlin", "startingDeadlineSeconds": 0}, []),
    ],
    ids=str,
)
async def test_what_is_wrong_with_a_cron_job(wire: Wire, spec: Json, expected: list[tuple[str, str]]) -> None:
    heard = await wire.ask("POST", await collection(wire, "cronjobs"), cron_job(**spec))
    assert told(heard.body) == expected
