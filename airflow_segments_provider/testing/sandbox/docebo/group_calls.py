"""Docebo's operations on groups."""

from __future__ import annotations

from airflow_segments_provider.testing.sandbox.docebo import bodies, errors, queries, replies, rules
from airflow_segments_provider.testing.sandbox.docebo.account import Account
from airflow_segments_provider.testing.sandbox.docebo.constants import GROUPS_PATH
from airflow_segments_provider.testing.sandbox.docebo.records import Group
from airflow_segments_provider.testing.sandbox.messages import Call, Reply

_SORTS = ("name", "description", "slug")


class GroupCalls:
    """Each operation takes a call and returns the answer, or raises the refusal."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def list(self, call: Call) -> Reply:
        """List the groups; unsorted, in the order of their creation."""
        account = self._account
        account.admit(call)
        page = queries.read_page(call, account.settings, _SORTS, "idst")
        found, total = account.groups.page(page, account.settings.list_lag)
        items = [replies.group_object(group, account.settings) for group in found]
        return replies.list_reply(items, total, page, account.settings)

    def get(self, call: Call) -> Reply:
        """Show one group."""
        self._account.admit(call)
        return self._shown(self._account.group(call))

    def create(self, call: Call) -> Reply:
        """Create a group without members; that of rules gets them later, and only there deactivation may matter."""
        account, settings = self._account, self._account.settings
        spelling = "singular" if call.path == GROUPS_PATH else "plural"
        if settings.create_paths not in ("both", spelling):
            raise errors.missing_route(settings)
        author = account.admit(call)
        wanted = bodies.read_creation(call, settings)
        self._demand_free(wanted.name)
        (idst,) = account.numbers.take()
        uuid = account.groups.create(
            idst, wanted.name, wanted.description, wanted.type, wanted.exclude_deactivated_users, author
        )
        if wanted.ruleset is not None:
            self._set_rules(idst, wanted.ruleset, None, author)
        data = replies.group_object(self._again(idst), settings) if settings.create_reply == "group" else {"uuid": uuid}
        return replies.data_reply(data, settings.create_status)

    def update(self, call: Call) -> Reply:
        """Change what is given, and leave the rest; other rules empty the group of those whom rules had brought."""
        account, settings = self._account, self._account.settings
        author = account.admit(call)
        group = account.group(call)
        fields = bodies.read_update(call, settings)
        if "name" in fields:
            self._demand_free(fields["name"], group.idst)
        account.groups.update(group.idst, fields, author)
        ruleset = fields.get("ruleset")
        if ruleset is not None:
            if group.ruleset is None:
                raise errors.refused(400, "a manual group has no ruleset", settings)
            self._set_rules(group.idst, ruleset, group, author)
        elif group.ruleset is not None and "exclude_deactivated_users" in fields:
            account.recalculate(self._again(group.idst), author)
        return self._shown(self._again(group.idst))

    def delete(self, call: Call) -> Reply:
        """Delete a group, used elsewhere or not."""
        self._account.admit(call)
        self.remove(self._account.group(call))
        return replies.data_reply({"success": True})

    def remove(self, group: Group) -> None:
        """Delete a group with its members and what waits for it."""
        self._account.jobs.cancel(group.idst)
        self._account.members.empty(group.idst)
        self._account.groups.delete(group.idst)

    def history(self, call: Call) -> Reply:
        """List the rules that a group has had."""
        account, settings = self._account, self._account.settings
        account.admit(call)
        group = account.group(call)
        if group.ruleset is None:
            raise errors.refused(400, "a manual group has no conditions", settings)
        page = queries.read_page(call, settings, (), "date")
        found, total = account.groups.history(group.idst, page)
        items = [
            {"date": replies.spelled(at), "author": {"idst": author}, "ruleset": ruleset}
            for at, author, ruleset in found
        ]
        return replies.list_reply(items, total, page, settings)

    def old_id(self, call: Call) -> Reply:
        """Tell the number that a group has in the former service."""
        self._account.admit(call)
        return replies.data_reply({"id": self._account.group(call).idst})

    def new_id(self, call: Call) -> Reply:
        """Tell the uuid of the group that has a number in the former service."""
        account, text = self._account, call.parameters["group"]
        account.admit(call)
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        found = account.groups.by_number(number)
        if found is None:
            raise errors.refused(404, "no such group", account.settings)
        return replies.data_reply({"uuid": found.uuid})

    def _set_rules(self, idst: int, wanted: dict[str, object], group: Group | None, author: int) -> None:
        account = self._account
        old = None if group is None else group.ruleset
        ruleset = rules.numbered(wanted, old, lambda: account.numbers.take()[0])
        if ruleset is None:
            raise errors.refused(400, "no such set or rule in this group", account.settings)
        if old is not None and rules.same_rules(old, ruleset):
            return
        account.groups.set_ruleset(idst, ruleset, author)
        account.members.empty(idst, "automatic")
        account.recalculate(self._again(idst), author)

    def _demand_free(self, name: str, but: int | None = None) -> None:
        account = self._account
        if account.settings.duplicate_names == "refuse" and account.groups.name_taken(name, but):
            raise errors.refused(409, "a group with this name exists", account.settings)

    def _shown(self, group: Group) -> Reply:
        return replies.data_reply(replies.group_object(group, self._account.settings))

    def _again(self, idst: int) -> Group:
        found = self._account.groups.by_number(idst)
        assert found is not None
        return found
