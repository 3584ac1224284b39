"""A parameter is declared in the operator and in the model of its vendor; these tests compare both."""

from __future__ import annotations

import inspect
import json
import uuid
from typing import Any

import pytest
from pydantic import BaseModel

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators import alteryx, docebo, walkme, zendesk
from airflow_segments_provider.operators.base import VendorOperator
from airflow_segments_provider.vendors.alteryx import parameters as alteryx_parameters
from airflow_segments_provider.vendors.docebo import parameters as docebo_parameters
from airflow_segments_provider.vendors.walkme import parameters as walkme_parameters
from airflow_segments_provider.vendors.zendesk import parameters as zendesk_parameters
from tests.operators.every import OPERATORS

MODELS: dict[type[VendorOperator], type[BaseModel]] = {
    alteryx.AlteryxServerAddActiveDirectoryGroupOperator: alteryx_parameters.ChangeActiveDirectoryGroup,
    alteryx.AlteryxServerAddUserGroupUsersOperator: alteryx_parameters.ChangeUsers,
    alteryx.AlteryxServerCreateUserGroupOperator: alteryx_parameters.CreateUserGroup,
    alteryx.AlteryxServerDeleteUserGroupOperator: alteryx_parameters.DeleteUserGroup,
    alteryx.AlteryxServerGetUserGroupOperator: alteryx_parameters.UserGroupKey,
    alteryx.AlteryxServerRemoveActiveDirectoryGroupOperator: alteryx_parameters.ChangeActiveDirectoryGroup,
    alteryx.AlteryxServerRemoveUserGroupUsersOperator: alteryx_parameters.RemoveUsers,
    alteryx.AlteryxServerShareWithUserGroupOperator: alteryx_parameters.Share,
    alteryx.AlteryxServerUnshareFromUserGroupOperator: alteryx_parameters.Share,
    alteryx.AlteryxServerUpdateUserGroupOperator: alteryx_parameters.UpdateUserGroup,
    alteryx.AlteryxServerUpdateUserGroupPermissionsOperator: alteryx_parameters.Share,
    docebo.DoceboAddGroupUsersOperator: docebo_parameters.AddUsers,
    docebo.DoceboConvertGroupIdOperator: docebo_parameters.ConvertGroupIds,
    docebo.DoceboCreateGroupOperator: docebo_parameters.CreateGroup,
    docebo.DoceboDeleteGroupOperator: docebo_parameters.DeleteGroup,
    docebo.DoceboExportGroupUsersOperator: docebo_parameters.ExportUsers,
    docebo.DoceboGetConditionsHistoryOperator: docebo_parameters.GroupKey,
    docebo.DoceboGetGroupOperator: docebo_parameters.GroupKey,
    docebo.DoceboListGroupUsersOperator: docebo_parameters.ListMembers,
    docebo.DoceboListGroupsOperator: docebo_parameters.ListGroups,
    docebo.DoceboRemoveGroupUsersOperator: docebo_parameters.RemoveUsers,
    docebo.DoceboUpdateGroupOperator: docebo_parameters.UpdateGroup,
    walkme.WalkMeCreateSegmentOperator: walkme_parameters.CreateSegment,
    walkme.WalkMeDeleteSegmentOperator: walkme_parameters.DeleteSegment,
    walkme.WalkMeListSegmentsOperator: walkme_parameters.LookUp,
    walkme.WalkMeUpdateSegmentOperator: walkme_parameters.UpdateSegment,
    zendesk.ZendeskApplyUserSegmentOperator: zendesk_parameters.ApplyUserSegment,
    zendesk.ZendeskCreateUserSegmentOperator: zendesk_parameters.CreateUserSegment,
    zendesk.ZendeskDeleteUserSegmentOperator: zendesk_parameters.DeleteUserSegment,
    zendesk.ZendeskGetUserSegmentOperator: zendesk_parameters.UserSegmentKey,
    zendesk.ZendeskGetUserTagsOperator: zendesk_parameters.UserTags,
    zendesk.ZendeskListUserSegmentSectionsOperator: zendesk_parameters.UserSegmentKey,
    zendesk.ZendeskListUserSegmentTopicsOperator: zendesk_parameters.UserSegmentKey,
    zendesk.ZendeskListUserSegmentsOperator: zendesk_parameters.ListUserSegments,
    zendesk.ZendeskUpdateUserSegmentOperator: zendesk_parameters.UpdateUserSegment,
    zendesk.ZendeskUpdateUserTagsOperator: zendesk_parameters.UserTags,
    zendesk.ZendeskUpdateUsersOperator: zendesk_parameters.UpdateUsers,
}
# Parameters of operators only: sources and destinations, and what stands for the key of a segment.
OWN = {"user_ids", "path", "limit", "collection_id", "group", "user_group", "user_segment", "segment"}
OTHER_ACTIONS = {zendesk.ZendeskUpdateUserTagsOperator: {"action"}}
# Fields of a model only: sharing takes its resource from the operator's `collection_id`, unsharing has no terms.
NOT_IN_OPERATORS: dict[type[VendorOperator], set[str]] = {
    alteryx.AlteryxServerUpdateUserGroupPermissionsOperator: {"resource_type", "resource_id"},
    alteryx.AlteryxServerUnshareFromUserGroupOperator: {"permissions", "expiration_date"},
    zendesk.ZendeskGetUserTagsOperator: {"tags"},
}


def _signature(operator: type[VendorOperator]) -> dict[str, Any]:
    """Return the parameters of an operator's own classes, with their defaults."""
    found: dict[str, Any] = {}
    for cls in operator.__mro__:
        if cls.__module__.startswith("airflow_segments_provider") and "__init__" in vars(cls):
            for parameter in inspect.signature(vars(cls)["__init__"]).parameters.values():
                if parameter.kind is parameter.KEYWORD_ONLY:
                    found.setdefault(parameter.name, parameter.default)
    return found


def test_every_operator_of_a_vendor_is_in_the_table():
    ours = {found for found in OPERATORS.values() if issubclass(found, VendorOperator)}
    assert ours - MODELS.keys() == {alteryx.AlteryxServerListUserGroupsOperator}


@pytest.mark.parametrize("operator", MODELS, ids=lambda operator: operator.__name__)
def test_operator_and_model_have_the_same_parameters(operator):
    connection = operator.hook_class.conn_name_attr
    templates = set(operator.template_fields) - {connection}
    assert set(_signature(operator)) - {connection} == templates
    own = OWN | OTHER_ACTIONS.get(operator, set())
    assert templates - own == MODELS[operator].model_fields.keys() - NOT_IN_OPERATORS.get(operator, set())


@pytest.mark.parametrize("operator", MODELS, ids=lambda operator: operator.__name__)
def test_operator_and_model_have_the_same_defaults(operator):
    model = MODELS[operator]
    for name, default in _signature(operator).items():
        field = model.model_fields.get(name)
        if field is None:
            continue
        if field.is_required():
            assert default is inspect.Parameter.empty, name
        elif default is not None and default is not inspect.Parameter.empty:
            expected = field.get_default(call_default_factory=True)
            assert default == expected or (default == () and not expected), name


class WithTeam(alteryx.AlteryxServerDeleteUserGroupOperator):
    """A subclass as in a DAG file, with a template field of its own."""

    template_fields = (*alteryx.AlteryxServerDeleteUserGroupOperator.template_fields, "team")

    def __init__(self, *, team, **kwargs):
        super().__init__(**kwargs)
        self.team = team


class NothingRendered(alteryx.AlteryxServerDeleteUserGroupOperator):
    template_fields = ()


@pytest.mark.parametrize(
    "operator", [WithTeam(task_id="a", name="x", team="growth"), NothingRendered(task_id="b", name="x")]
)
def test_a_subclass_passes_only_the_parameters_of_the_operator_to_the_model(operator):
    key = {"user_group": None, "user_group_id": None, "name": "x"}
    assert operator.parameters == {**key, "force_delete": False, "if_missing": "skip"}


class TaskInstance:
    def xcom_push(self, **kwargs):
        pass


def _required(operator):
    return [name for name, default in _signature(operator).items() if default is inspect.Parameter.empty]


@pytest.mark.parametrize("operator", filter(_required, MODELS), ids=lambda operator: operator.__name__)
def test_a_required_parameter_that_renders_to_nothing_is_rejected_before_any_request(operator, monkeypatch):
    extra = {"system_guid": str(uuid.uuid4())} if operator.__module__ == walkme.__name__ else {}
    # No server listens there: a request would raise another error.
    connection = {"conn_type": "x", "host": "http://127.0.0.1:1", "login": "a", "password": "b", "extra": extra}
    conn_id = operator.hook_class.default_conn_name
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    task = operator(task_id="task", **dict.fromkeys(_required(operator)))
    with pytest.raises(InvalidInput):
        task.execute({"ti": TaskInstance()})
