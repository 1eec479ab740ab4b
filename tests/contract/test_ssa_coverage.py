"""What became of each of Flux's own cases and scenarios for applies: the test that states it here, or why there is none.

Both tables are held complete by the files themselves, where they are at hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fakes.cases import CASES

TESTS = Path(__file__).resolve().parents[1]
IGNORED = "contract/test_ignored_fields.py"
SCENARIOS = "contract/test_ssa_scenarios.py"
RECREATION = "contract/test_recreation.py"
LIFECYCLE = "contract/test_lifecycle.py"
TREATMENTS = "e2e/test_treatments.py"
SAFETY = "e2e/test_safety.py"
GATE = "reconcile/test_gate.py"
NOT_OURS = "not ours: "

READ_BY = {
    "Test_diffUnstructured": "reconcile/test_ssa_cases.py",
    "TestMaskSecretPatchData": "reconcile/test_ssa_cases.py",
    "TestDiffSet": "reconcile/test_ssa_cases.py",
    "sanitize_test": "reconcile/test_ssa_cases.py",
    "Test_copyAnnotationsAndLabels": NOT_OURS + "a step inside Flux's comparison, which ours does not have",
    "TestUnstructured": "contract/test_ssa_plans.py",
    "TestSelectorRegex": "plugins/kustomize/test_ssa_cases.py",
    "utils/meta_test": "plugins/kustomize/test_ssa_cases.py",
    "utils/object_test": "plugins/kustomize/test_ssa_cases.py",
    "TestNormalizeUnstructured": "plugins/kubernetes/test_ssa_cases.py",
    "TestNormalizeDryRunUnstructured": NOT_OURS
    + "the server's duplicates are gone: "
    + SCENARIOS
    + " applies such metrics",
    "errors/immutable_test": "plugins/kubernetes/test_ssa_cases.py",
    "utils/cert_validation_test": "plugins/kubernetes/test_ssa_cases.py",
    "utils/job_test": "reconcile/test_ssa_cases.py",
}
"""Cases by the beginning of their name."""

STATED_BY: dict[str, tuple[str, ...]] = {
    # fields that are left to others
    "TestApply_DriftIgnoreRules_OptionalFields": (
        f"{IGNORED}::test_one_goes_from_owner_to_owner_and_is_never_taken_back",
    ),
    "TestApply_DriftIgnoreRules_ImmutableField": (f"{IGNORED}::test_an_immutable_one_stays_sound_whoever_holds_it",),
    "TestApply_DriftIgnoreRules_RequiredMutableField": (f"{IGNORED}::test_a_required_one_is_kept_from_going",),
    "TestApply_DriftIgnoreRules_SelectorAndPaths": (
        f"{IGNORED}::test_only_what_a_rule_is_for_is_left_alone",
        f"{IGNORED}::test_a_pointer_that_is_none_is_refused_where_it_is_read",
    ),
    "TestApply_DriftIgnoreRules_CreateSkipsIgnore": (
        f"{IGNORED}::test_a_new_object_has_them_as_git_says",
        f"{IGNORED}::test_an_edit_of_one_that_is_ours_alone_stays_and_stays_ours",
    ),
    "TestApply_DriftIgnoreRules_NonIgnoredFieldDrift": (f"{IGNORED}::test_beside_them_everything_is_put_right",),
    "TestApply_DriftIgnoreRules_TwoPhaseOwnershipLifecycle": (
        f"{IGNORED}::test_one_that_another_holds_too_is_let_go_with_the_next_write",
    ),
    "TestApply_DriftIgnoreRules_SharedMutableCoOwnership": (
        f"{IGNORED}::test_one_that_another_holds_too_is_let_go_with_the_next_write",
    ),
    "TestApply_DriftIgnoreRules_ClientSideEditConsequences": (
        f"{IGNORED}::test_an_edit_of_one_that_is_ours_alone_stays_and_stays_ours",
        f"{TREATMENTS}::test_an_ignored_field_is_never_taken_from_who_sets_it",
    ),
    "TestApply_DriftIgnoreRules_FieldManagerCleanupInteraction": (
        f"{IGNORED}::test_what_kubectl_set_before_the_takeover_stays_too",
    ),
    "TestApply_DriftIgnoreRules_ContainerResources": (
        f"{IGNORED}::test_resources_that_an_autoscaler_sets_are_left_to_it",
    ),
    "TestDiff_DriftIgnoreRules_IgnoredFieldReturnsUnchanged": (f"{IGNORED}::test_beside_them_everything_is_put_right",),
    "TestDiff_DriftIgnoreRules_NonIgnoredFieldReturnsConfigured": (f"{IGNORED}::test_a_plan_tells_nothing_of_them",),
    "TestDiff_DriftIgnoreRules_StripsIgnoredFieldsFromReturnedObjects": (
        f"{IGNORED}::test_a_plan_tells_nothing_of_them",
    ),
    "TestDiff_DriftIgnoreRules_EmptyRulesFallsBack": (f"{IGNORED}::test_a_plan_tells_nothing_of_them",),
    "TestDiff_DriftIgnoreRules_SelectorScoping": (f"{IGNORED}::test_a_plan_tells_nothing_of_them",),
    # applies
    "TestApply": (f"{SCENARIOS}::test_a_set_is_written_in_order_once_and_then_only_what_changed",),
    "TestApplyAllStaged_PartialFailure": (f"{SCENARIOS}::test_a_stage_that_fails_says_what_was_done_before",),
    "TestApply_SetNativeKindsDefaults": (
        f"{SCENARIOS}::test_what_servers_fill_in_and_tools_leave_behind_is_no_change",
    ),
    "TestApply_NoOp": (f"{SCENARIOS}::test_what_servers_fill_in_and_tools_leave_behind_is_no_change",),
    "TestApply_SkipsExcluded": (f"{SCENARIOS}::test_what_is_to_be_left_alone_is_so_whoever_says_it",),
    "TestApply_Exclusions": (f"{SCENARIOS}::test_what_is_to_be_left_alone_is_so_whoever_says_it",),
    "TestApply_IfNotPresent": (f"{SCENARIOS}::test_what_is_only_to_be_created_is_left_alone_until_it_is_asked_for",),
    "TestApply_IfNotPresent_ClusterScopedNamespaceInjection": (
        f"{SCENARIOS}::test_what_has_no_namespace_is_found_whatever_namespace_is_stated",
    ),
    "TestApply_MissingNamespaceErr": (f"{SCENARIOS}::test_a_missing_namespace_is_named",),
    "TestResourceManager_ApplyAllStaged_CRDWebhookCABundle": (
        f"{SCENARIOS}::test_the_certificate_of_a_definition_is_sent_where_it_is_one",
    ),
    "TestResourceManager_Diff_CRDWebhookCABundle": (
        f"{SCENARIOS}::test_the_certificate_of_a_definition_is_sent_where_it_is_one",
    ),
    "TestApplyAllStaged_AppliesRoleAndRoleBinding": (
        f"{SCENARIOS}::test_a_role_of_a_stage_of_its_own_can_be_bound_in_the_same_set",
    ),
    "TestApply_Force": (
        f"{RECREATION}::test_an_immutable_secret_is_re_created",
        f"{RECREATION}::test_a_re_creation_waits_for_finalizers",
        f"{RECREATION}::test_a_bound_role_is_exchanged_by_re_creating_the_binding",
        f"{RECREATION}::test_a_class_is_re_created_where_it_asks_for_it_itself",
        f"{RECREATION}::test_a_forced_object_that_is_only_wrong_is_not_touched",
    ),
    # other managers
    "TestApply_Cleanup_ExactMatch": (f"{SCENARIOS}::test_only_kubectls_fields_are_taken_over",),
    "TestApply_Cleanup": (f"{SCENARIOS}::test_what_kubectl_made_is_ours_after_the_first_apply",),
    "TestApply_CleanupRemovals": (f"{SCENARIOS}::test_what_kubectl_adds_to_an_object_that_is_ours_stays",),
    "TestApply_Cleanup_Exclusions": (f"{TREATMENTS}::test_what_is_merged_keeps_what_others_added",),
    "TestApply_MigrateAPIVersion": (f"{SCENARIOS}::test_an_object_survives_the_end_of_the_version_it_was_applied_in",),
    "TestApplyAll_MigrateAPIVersion": (
        f"{SCENARIOS}::test_an_object_survives_the_end_of_the_version_it_was_applied_in",
    ),
    "TestApply_MigrateAPIVersion_RealWorldExternalSecrets": (
        f"{SCENARIOS}::test_an_object_survives_the_end_of_the_version_it_was_applied_in",
    ),
    # deletions
    "TestDelete": (
        f"{SAFETY}::test_the_end_of_an_app_waits_for_what_ends_slowly_where_it_is_asked_to",
        f"{SCENARIOS}::test_a_deletion_is_sent_once_and_waits_in_the_cluster_for_its_finalizers",
    ),
    "TestDelete_Exclusions": (f"{SAFETY}::test_a_marked_object_is_never_pruned",),
    # plans
    "TestDiff": (
        f"{SCENARIOS}::test_a_set_is_written_in_order_once_and_then_only_what_changed",
        f"{SCENARIOS}::test_a_plan_of_a_secret_tells_its_keys_and_hides_its_values",
    ),
    "TestDiff_Exclusions": (f"{SCENARIOS}::test_what_is_to_be_left_alone_is_so_whoever_says_it",),
    "TestDiff_IfNotPresent_OnExisting": (
        f"{SCENARIOS}::test_what_is_only_to_be_created_is_left_alone_until_it_is_asked_for",
    ),
    "TestDiff_IfNotPresent_OnObject": (
        f"{SCENARIOS}::test_what_is_only_to_be_created_is_left_alone_until_it_is_asked_for",
    ),
    "TestDiff_Removals": (f"{SCENARIOS}::test_a_removed_entry_of_a_list_without_names_is_told",),
    "TestDiffHPA": (f"{SCENARIOS}::test_the_metrics_of_an_autoscaler_are_compared_in_any_order",),
    "TestHasDrifted_Metadata": ("reconcile/test_ssa_cases.py::test_differences",),
    # health
    "TestWaitForSet": (f"{LIFECYCLE}::test_a_new_kind_can_be_used_as_soon_as_its_stage_has_settled",),
    "TestWaitForSet_failFast": (f"{GATE}::test_it_ends_early_with_the_first_that_failed",),
    "TestWaitForSet_terminalState": (f"{GATE}::test_it_ends_early_with_the_first_that_failed",),
    "TestWaitForSet_ErrorOnReaderError": (f"{GATE}::test_a_look_that_fails_is_no_reason_to_fail",),
    "TestWaitWithContext_Cancellation": (f"{GATE}::test_something_newer_ends_it_at_once",),
    "TestWaitForSet_JobWithTTL": (f"{GATE}::test_what_ends_by_itself_may_be_gone",),
    "TestWaitForSetTermination": (f"{SAFETY}::test_the_end_of_an_app_waits_for_what_ends_slowly_where_it_is_asked_to",),
}
"""Scenarios, each with the tests of ours that state it."""

NONE_FOR = {
    "TestWaitForSet_RateLimiterError": "there is no limiter of requests on our side that could run dry: the server's 429 is obeyed",
    "TestWaitForSet_RateLimiterErrorIncludesObjectNames": "as above",
}
"""Scenarios that have no counterpart, and why."""


def _read(suite: str, part: str = "cases") -> list[dict[str, str]]:
    file = CASES / "flux" / f"{suite}.json"
    if not file.is_file():
        pytest.skip(f"{file} is not at hand")
    found: list[dict[str, str]] = json.loads(file.read_text())[part]
    return found


@pytest.mark.parametrize("suite", ["ssa_jsondiff", "ssa_normalize", "ssa_misc"])
def test_every_case_is_read_or_has_a_reason(suite: str) -> None:
    for case in _read(suite):
        [where] = [
            READ_BY[start] for start in READ_BY if re.match(rf"{start}(Metadata)?(_\w+)?(\.go)?[:/]", case["name"])
        ]
        if not where.startswith(NOT_OURS):
            assert f'"{suite}"' in (TESTS / where).read_text()


def test_every_scenario_is_stated_or_has_a_reason() -> None:
    assert sorted(s["test"] for s in _read("ssa_misc", "scenarios")) == sorted({**STATED_BY, **NONE_FOR})


@pytest.mark.parametrize("test", sorted({test for tests in STATED_BY.values() for test in tests}))
def test_the_tests_of_the_table_exist(test: str) -> None:
    file, name = test.split("::")
    assert f"def {name}(" in (TESTS / file).read_text()
