"""What every sink promises, as tests that use nothing but the roles.

Subclass it and give it the fixture `connect`: a function that opens a target for an actor.

    class TestMySink(SinkSuite):
        @pytest.fixture
        def connect(self) -> Connect:
            return lambda actor: MySink().connect(access, actor, ctx)

Each test works under an instance and namespaces of its own names, so that a shared cluster will do. Needs pytest and
pytest-asyncio.
"""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from gitopsd.model.change import Action, Change, Engine, Ours
from gitopsd.model.declared import PLAIN, HealthCheck
from gitopsd.model.errors import Conflict, HeldElsewhere, Rejected
from gitopsd.model.health import Explanation
from gitopsd.model.identity import ObjectRef
from gitopsd.model.manifest import Manifest
from gitopsd.plugin.conformance.scene import (
    APP,
    OTHER,
    SOON,
    Connect,
    actor,
    applied,
    apply,
    config_map,
    frozen,
    inventory_of,
    look,
    namespace_manifest,
    next_of,
    place,
)

# ruff: noqa: D102 - the name of a test states the promise


@pytest.mark.asyncio
class SinkSuite:
    """The promises. Subclasses provide the fixture `connect`."""

    @pytest.fixture
    def connect(self) -> Connect:
        """Opens a target for an actor."""
        raise NotImplementedError("override the fixture `connect`")

    async def test_two_connections_name_the_cluster_alike(self, connect: Connect) -> None:
        async with connect(actor()) as one, connect(actor()) as other:
            assert one.uid
            assert one.uid == other.uid

    async def test_namespaces_are_set_where_the_kind_needs_one_and_dropped_where_it_has_none(
        self, connect: Connect
    ) -> None:
        bare = Manifest.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
        wide = Manifest.of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "b"}})
        strange = Manifest.of({"apiVersion": "no.such/v1", "kind": "Thing", "metadata": {"name": "a"}})
        async with connect(actor()) as target:
            found = await target.qualify([bare, wide, strange])
        assert [m.id.namespace for m in found.manifests] == ["default", "", ""]
        assert found.manifests[0].body["metadata"]["namespace"] == "default"
        assert "namespace" not in found.manifests[1].body["metadata"]
        assert found.unknown == {strange.id}

    async def test_definitions_are_written_before_what_needs_them(self, connect: Connect) -> None:
        async with connect(actor()) as target:
            stages = target.stages([config_map("a", "web", {}), namespace_manifest("web")])
        assert [[m.id.kind for m in stage.manifests] for stage in stages] == [["Namespace"], ["ConfigMap"]]
        assert [stage.settle for stage in stages] == [True, False]

    async def test_what_does_not_exist_is_not_in_the_answer(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            assert await look(target, config_map("a", namespace, {})) is None

    async def test_an_applied_object_is_ours_and_can_be_observed(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            manifest = config_map("a", namespace, {"x": "1"})
            result = await apply(target, manifest)
            live = await look(target, manifest)
            assert live is not None
            assert live.owner == Ours(app=APP)
            assert live.body["data"] == {"x": "1"}
            assert live.mark
            assert live.mark == result.mark
            assert "managedFields" not in live.body["metadata"]

    async def test_many_objects_are_observed_at_once(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            manifests = [config_map(f"c{i}", namespace, {"i": str(i)}) for i in range(30)]
            for manifest in manifests[:-1]:
                await applied(target, manifest)
            found = await target.observe([(m.id, m.version) for m in manifests])
            assert set(found) == {m.id for m in manifests[:-1]}

    async def test_a_rehearsal_writes_nothing(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            manifest = config_map("a", namespace, {"x": "1"})
            rehearsal = await target.rehearse(manifest, APP, None, PLAIN)
            assert rehearsal.error is None
            assert rehearsal.body is not None
            assert rehearsal.body["data"] == {"x": "1"}
            assert await look(target, manifest) is None

    async def test_a_rehearsal_of_what_is_there_has_the_mark_of_what_is_there(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            manifest = config_map("a", namespace, {"x": "1"})
            live = await applied(target, manifest)
            rehearsal = await target.rehearse(manifest, APP, live, PLAIN)
            assert rehearsal.mark == live.mark
            assert rehearsal.body is not None
            assert rehearsal.body["data"] == live.body["data"]

    async def test_a_refused_rehearsal_names_the_object_and_the_reason(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            manifest = Manifest.of(
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "metadata": {"name": "web", "namespace": namespace},
                    "spec": {"ports": [{"port": 99999}]},
                }
            )
            rehearsal = await target.rehearse(manifest, APP, None, PLAIN)
            assert isinstance(rehearsal.error, Rejected)
            assert str(rehearsal.error).startswith(f"Service/{namespace}/web dry-run failed (Invalid): ")
            assert not rehearsal.immutable
            assert not rehearsal.waits

    async def test_what_lacks_its_namespace_or_kind_waits(self, connect: Connect) -> None:
        strange = Manifest.of(
            {"apiVersion": "no.such/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "b"}}
        )
        async with connect(actor()) as target:
            for manifest in (config_map("a", "no-such-namespace", {}), strange):
                rehearsal = await target.rehearse(manifest, APP, None, PLAIN)
                assert rehearsal.waits
                assert rehearsal.error is not None

    async def test_a_change_of_an_immutable_field_is_told_as_such(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            manifest = frozen(config_map("a", namespace, {"x": "1"}))
            live = await applied(target, manifest)
            rehearsal = await target.rehearse(frozen(config_map("a", namespace, {"x": "2"})), APP, live, PLAIN)
            assert rehearsal.error is not None
            assert rehearsal.immutable

    async def test_a_recreation_replaces_the_object(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            live = await applied(target, frozen(config_map("a", namespace, {"x": "1"})))
            changed = frozen(config_map("a", namespace, {"x": "2"}))
            again = await applied(target, changed, action=Action.RECREATE, live=live)
            assert again.uid != live.uid
            assert again.body["data"] == {"x": "2"}

    async def test_a_field_that_is_no_longer_wanted_goes(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            await applied(target, config_map("a", namespace, {"x": "1", "y": "2"}))
            live = await applied(target, config_map("a", namespace, {"x": "1"}), action=Action.UPDATE)
            assert live.body["data"] == {"x": "1"}

    async def test_applying_again_changes_nothing(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            first = await applied(target, config_map("a", namespace, {"x": "1"}))
            second = await applied(target, config_map("a", namespace, {"x": "1"}), action=Action.UPDATE)
            assert (second.resource_version, second.mark) == (first.resource_version, first.mark)

    async def test_a_refused_apply_is_a_value(self, connect: Connect) -> None:
        async with connect(actor()) as target:
            result = await apply(target, config_map("a", "no-such-namespace", {}))
            assert result.error is not None
            assert "ConfigMap/no-such-namespace/a apply failed" in str(result.error)

    async def test_another_instances_object_is_another_engines(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace), connect(actor("elsewhere")) as other:
            manifest = config_map("a", namespace, {"x": "1"})
            await applied(target, manifest)
            live = await look(other, manifest)
            assert live is not None
            assert isinstance(live.owner, Engine)

    async def test_long_names_of_owners_survive(self, connect: Connect) -> None:
        app = ObjectRef(kind="Kustomization", namespace="flux-system", name="a" * 120)
        async with place(connect) as (target, namespace):
            manifest = config_map("a", namespace, {})
            await applied(target, manifest, app)
            live = await look(target, manifest)
            assert live is not None
            assert live.owner == Ours(app=app)

    async def test_a_deleted_object_is_gone_and_deleting_it_again_succeeds(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            manifest = config_map("a", namespace, {})
            live = await applied(target, manifest)
            change = Change(id=manifest.id, action=Action.DELETE, live=live, deletion=True)
            assert (await target.delete(change)).error is None
            assert await look(target, manifest) is None
            assert (await target.delete(change)).error is None

    async def test_an_object_that_changed_since_it_was_looked_at_is_not_deleted(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            live = await applied(target, config_map("a", namespace, {"x": "1"}))
            await applied(target, config_map("a", namespace, {"x": "2"}), action=Action.UPDATE)
            result = await target.delete(Change(id=live.id, action=Action.DELETE, live=live, deletion=True))
            assert isinstance(result.error, Conflict)
            assert await look(target, config_map("a", namespace, {})) is not None

    async def test_the_collateral_of_a_namespace_is_what_is_in_it(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            manifest = config_map("a", namespace, {})
            await applied(target, manifest)
            live = await look(target, namespace_manifest(namespace))
            assert live is not None
            assert [item.id for item in await target.collateral(live)] == [manifest.id]

    async def test_the_collateral_of_a_plain_object_is_nothing(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            live = await applied(target, config_map("a", namespace, {}))
            assert list(await target.collateral(live)) == []

    async def test_an_inventory_is_remembered_whole(self, connect: Connect) -> None:
        who = actor()
        async with connect(who) as target:
            assert await target.inventory(APP) is None
            inventory = inventory_of(target.uid, 3)
            written = await target.remember(inventory)
            assert written.token
            assert await target.inventory(APP) == written
            assert replace(written, token="") == inventory
        async with connect(who) as again:
            assert list(await again.inventories()) == [written]

    async def test_a_large_inventory_is_remembered_whole_and_shrinks_again(self, connect: Connect) -> None:
        who = actor()
        async with connect(who) as target:
            large = await target.remember(inventory_of(target.uid, 25_000))
            small = await target.remember(replace(inventory_of(target.uid, 2), token=large.token))
            assert await target.inventory(APP) == small
            large = await target.remember(replace(inventory_of(target.uid, 25_000), token=small.token))
        async with connect(who) as again:
            assert await again.inventory(APP) == large
            assert list(await again.inventories()) == [large]
            await again.discard(large)
            assert list(await again.inventories()) == []

    async def test_an_inventory_that_changed_since_it_was_read_is_not_overwritten(self, connect: Connect) -> None:
        async with connect(actor()) as target:
            first = await target.remember(inventory_of(target.uid, 1))
            second = await target.remember(replace(first, owned={}))
            for stale in (first, inventory_of(target.uid, 9)):
                with pytest.raises(Conflict):
                    await target.remember(stale)
            assert await target.inventory(APP) == second

    async def test_inventories_are_those_of_the_instance(self, connect: Connect) -> None:
        async with connect(actor()) as one, connect(actor()) as other:
            mine = await one.remember(inventory_of(one.uid, 1))
            mine_too = await one.remember(replace(inventory_of(one.uid, 2), app=OTHER))
            await other.remember(inventory_of(other.uid, 1))
            assert {each.app: each for each in await one.inventories()} == {APP: mine, OTHER: mine_too}

    async def test_a_discarded_inventory_is_gone_and_discarding_it_again_succeeds(self, connect: Connect) -> None:
        async with connect(actor()) as target:
            written = await target.remember(inventory_of(target.uid, 1))
            await target.discard(written)
            assert await target.inventory(APP) is None
            await target.discard(written)

    async def test_the_lease_has_one_holder(self, connect: Connect) -> None:
        who = actor()
        async with connect(who) as target, connect(replace(who, holder="machine-2/x")) as other:
            async with target.lease():
                with pytest.raises(HeldElsewhere, match=who.holder):
                    async with other.lease():
                        pytest.fail("two holders at once")
            async with other.lease():
                pass

    async def test_the_same_holder_takes_its_lease_over_at_once(self, connect: Connect) -> None:
        who = actor()
        async with connect(who) as before, connect(who) as after, before.lease():
            with anyio.fail_after(SOON / 3):
                async with after.lease():
                    pass

    async def test_a_watch_tells_first_what_is_there_and_then_what_happens(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            manifest = config_map("a", namespace, {"x": "1"})
            live = await applied(target, manifest)
            async with target.watch([("", "v1", "ConfigMap")]) as stream:
                seen = await next_of(stream, manifest.id)
                assert seen.live is not None
                assert seen.live.mark == live.mark
                changed = await applied(target, config_map("a", namespace, {"x": "2"}), action=Action.UPDATE)
                seen = await next_of(stream, manifest.id)
                assert seen.live is not None
                assert seen.live.mark == changed.mark
                await target.delete(Change(id=manifest.id, action=Action.DELETE, live=changed, deletion=True))
                assert (await next_of(stream, manifest.id)).live is None

    async def test_a_watch_tells_nothing_of_other_instances(self, connect: Connect) -> None:
        kinds = [("", "v1", "ConfigMap")]
        async with place(connect) as (target, namespace), connect(actor()) as other, other.watch(kinds) as stream:
            await applied(target, config_map("theirs", namespace, {}))
            mine = await applied(other, config_map("mine", namespace, {}))
            with anyio.fail_after(SOON):
                assert (await stream.receive()).id == mine.id

    async def test_following_an_object_tells_its_absence_and_its_coming(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            manifest = config_map("a", namespace, {})
            async with target.follow([HealthCheck(id=manifest.id, version="v1")]) as stream:
                assert (await next_of(stream, manifest.id)).live is None
                await applied(target, manifest)
                assert (await next_of(stream, manifest.id)).live is not None

    async def test_a_read_only_actor_rehearses_and_writes_nothing(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace), connect(actor(read_only=True)) as reader:
            manifest = config_map("a", namespace, {})
            assert (await reader.rehearse(manifest, APP, None, PLAIN)).error is None
            result = await apply(reader, manifest)
            assert "read-only" in str(result.error)
            live = await applied(target, manifest)
            assert (await reader.delete(Change(id=live.id, action=Action.DELETE, live=live))).error is not None
            with pytest.raises(Rejected):
                await reader.remember(inventory_of(reader.uid, 1))
            assert await look(target, manifest) is not None

    async def test_an_identity_that_may_do_everything_lacks_nothing(self, connect: Connect) -> None:
        async with connect(actor()) as target:
            assert list(await target.rights([("", "v1", "ConfigMap")])) == []

    async def test_a_healthy_object_needs_no_explanation(self, connect: Connect) -> None:
        async with place(connect) as (target, namespace):
            live = await applied(target, config_map("a", namespace, {}))
            assert await target.explain(live) == Explanation()
