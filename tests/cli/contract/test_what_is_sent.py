"""The tables of operations describe exactly what the hooks send."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_segments_provider.cli.contract.operations import ALTERYX, ANY, DOCEBO, Operation, Shape, always, sent
from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from airflow_segments_provider.hooks.docebo import DoceboHook
from tests.cli.contract.conftest import through
from tests.cli.contract.relay import Request


def fits(shape: Shape, value: Any) -> bool:
    """Return whether a body matches its description in a table."""
    if isinstance(shape, dict):
        known = {sent(name): inner for name, inner in shape.items()}
        return (
            isinstance(value, dict)
            and {name for name in shape if always(name)} <= value.keys() <= known.keys()
            and all(fits(known[name], inner) for name, inner in value.items())
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(shape[0], item) for item in value)
    if isinstance(shape, tuple):
        return value in shape
    kinds: dict[str, type] = {"string": str, "integer": int, "boolean": bool, ANY: object}
    return isinstance(value, kinds[shape])


def right(request: Request, operation: Operation) -> bool:
    """Return whether a request has the parameters and the body of an operation."""
    known = {sent(name) for name in operation.query}
    if not {name for name in operation.query if always(name)} <= request.query.keys() <= known:
        return False
    return not request.body if operation.body is None else fits(operation.body, request.json)


def meant(request: Request, operations: Sequence[Operation], base: str) -> Iterator[tuple[Operation, str]]:
    """Yield the operations that have the method and the path of a request."""
    for operation in operations:
        for spelling in operation.spellings:
            method, _, path = spelling.partition(" ")
            pattern = re.escape(base + path).replace(re.escape("{}"), "[^/]+")
            if request.method == method and re.fullmatch(pattern, request.path):
                yield operation, spelling


def check(seen: Sequence[Request], operations: Sequence[Operation], base: str) -> None:
    """Check that every request matches the table, and that every operation of the table was sent."""
    requests, fields = set(), set()
    for request in seen:
        if request.path == f"{base}/oauth2/token":
            continue
        known = list(meant(request, operations, base))
        assert known, f"{request.method} {request.path} is in no table"
        found = [one for one in known if right(request, one[0])]
        assert found, f"{request} is not as {known} say"
        for operation, spelling in found:
            requests.add((operation.does, spelling))
            body = request.json if isinstance(operation.body, dict) else {}
            fields |= {(operation.does, name) for name in (*request.query, *body)}
    assert requests == {(operation.does, spelling) for operation in operations for spelling in operation.spellings}
    assert fields == {
        (operation.does, sent(name))
        for operation in operations
        for name in (*operation.query, *(operation.body if isinstance(operation.body, dict) else ()))
    }


def test_the_table_of_alteryx_describes_exactly_what_its_hook_sends(alteryx, relay):
    alteryx.settings(windows_authentication=True)
    people = alteryx.seed_users(3)
    hook = AlteryxServerHook()

    group = hook.create_user_group("Analysts", people)
    hook.create_user_group("Analysts", people[:2], role="Viewer", if_exists="update")
    unknown = [people[0], "0123456789abcdef01234567"]
    hook.create_user_group("Analysts", unknown, if_exists="update", on_refused="skip")
    hook.update_user_group(user_group=group, role="Member")
    hook.get_user_group(name="Analysts")
    hook.add_active_directory_group("S-1-5-21-1", user_group=group)
    hook.remove_active_directory_group("S-1-5-21-1", user_group=group)
    for kind in ("collection", "credential", "data_connection"):
        resource = getattr(alteryx, f"create_{kind}")("Sales")
        terms: dict[str, Any] = {"permissions": {"is_admin": True}, "expiration_date": datetime.now(UTC)}
        hook.share(kind, resource, user_group=group, **(terms if kind == "collection" else {}))
        if kind == "collection":
            hook.update_permissions(resource, user_group=group, **terms)
        hook.unshare(kind, resource, user_group=group)
    hook.get_users(role="Member", active="true", createdAfter="2020-01-01", createdBefore="2030-01-01")
    hook.find_user("nobody@example.com")
    hook.find_users("No", "Body")
    hook.delete_user_group(user_group=group, force_delete=True)

    check(relay.seen, ALTERYX, "/alteryx/webapi")


def test_the_table_of_docebo_describes_exactly_what_its_hook_sends(docebo, relay, monkeypatch, tmp_path):
    people = docebo.seed_users(3)
    branch = next(branch.idst for branch in docebo.branches() if branch.parent is not None)
    legacy = next(group.idst for group in docebo.groups())
    ruleset = {"operator": "AND", "sets": [{"rules_operator": "AND", "rules": [{"type": "Any", "payload": {}}]}]}

    def connect(**extra: object) -> DoceboHook:
        monkeypatch.setenv("AIRFLOW_CONN_DOCEBO_DEFAULT", through(relay, docebo, page_size=2, **extra))
        return DoceboHook()

    docebo.settings(list_cursor=True, rate_limit=None)
    for route in ("assign_users", "put_users", "post_users"):
        hook = connect(add_route=route, create_path="audiences")
        made = hook.create_group(route, people, description="x", exclude_deactivated_users=True)
        hook.add_users(branch_ids=[branch], group_ids=[legacy], group=made)
    hook = connect()
    made = hook.create_group("Plain", people)
    ruled = hook.create_group("Ruled", type="automatic", ruleset=ruleset)
    hook.update_group(group=ruled, new_name="Rules", description="y", ruleset={**ruleset, "operator": "OR"})
    hook.update_group(group=ruled, exclude_deactivated_users=True, ruleset=ruleset)
    list(hook.get_groups(search_text="users", sort_attr="name", sort_dir="desc"))
    list(hook.get_members(group=made, search_text="learner", sort_attr="email", sort_dir="desc"))
    docebo.settings(page_size=1)
    list(hook.get_conditions_history(group=ruled))
    hook.get_group(legacy)
    hook.convert_group_ids([legacy, str(made.group_id)])
    hook.export_users(str(tmp_path / "members.csv"), columns=("userid", "firstname", "lastname", "email"), group=made)
    hook.find_users(["learner1@example.com"], by="email")
    hook.find_users([f"learner{number}@example.com" for number in range(100)], by="email")
    hook.find_users(people[:1], by="id")
    hook.remove_users(people[:1], group=made)
    hook.remove_users(user_all=True, user_filters={"search": "learner"}, group=made)
    hook.delete_group(group=made)

    check(relay.seen, DOCEBO, "/docebo")
