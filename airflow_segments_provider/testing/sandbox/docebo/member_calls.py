"""Docebo's operations on the members of a group."""

from __future__ import annotations

from collections.abc import Callable

from airflow_segments_provider.testing.sandbox.docebo import bodies, errors, queries, replies
from airflow_segments_provider.testing.sandbox.docebo.account import Account
from airflow_segments_provider.testing.sandbox.docebo.records import Group
from airflow_segments_provider.testing.sandbox.docebo.settings import AddForm
from airflow_segments_provider.testing.sandbox.messages import Call, Reply

_SORTS = ("idst", "userid", "firstname", "lastname", "email")
_COLUMNS = ("userid", "firstname", "lastname", "email")


class MemberCalls:
    """Each operation takes a call and returns the answer, or raises the refusal."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def list(self, call: Call) -> Reply:
        """List members, those whom a search finds or all."""
        account, settings = self._account, self._account.settings
        account.admit(call)
        group = account.group(call)
        page = queries.read_page(call, settings, _SORTS, "idst")
        found, total = account.members.page(group.idst, page)
        items = [replies.member_object(user, relation, settings) for user, relation in found]
        return replies.list_reply(items, total, page, settings)

    def add_by(self, form: AddForm) -> Callable[[Call], Reply]:
        """Return the operation that adds members, in one of its forms."""

        def add(call: Call) -> Reply:
            settings = self._account.settings
            if form not in settings.add_forms:
                raise errors.missing_route(settings)
            return self._add(call)

        return add

    def remove(self, call: Call) -> Reply:
        """Remove users, all or those whom searches find; together they are added up, but all is narrowed by a search.

        Members whom rules brought come back when the rules are looked at again.
        """
        account = self._account
        author, group = self._begin_change(call)
        wanted = bodies.read_removal(call, account.settings)
        ids = set(wanted.user_ids)
        if wanted.searches:
            ids.update(account.members.found(group.idst, wanted.searches))
        elif wanted.user_all:
            ids.update(account.members.ids(group.idst, 0, -1))
        return _changed(account.change_members(group, "remove", sorted(ids), author))

    def export(self, call: Call) -> Reply:
        """Export the columns that are asked for."""
        account, settings = self._account, self._account.settings
        account.admit(call)
        group = account.group(call)
        columns = [column for column in _COLUMNS if queries.read_flag(call, column, settings)]
        if not columns:
            raise errors.refused(400, f"one of {', '.join(_COLUMNS)} must be asked for", settings)
        delimiter = call.query.get("delimiter", ",")
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise errors.refused(400, "delimiter must be one character", settings)
        form = {
            "header": queries.read_flag(call, "include_header", settings),
            "delimiter": delimiter,
            "line_end": "\n" if settings.export_line_end == "lf" else "\r\n",
            "bom": settings.export_bom,
        }
        users = account.members.all(group.idst)
        return replies.export_reply(users, columns, form, settings.export_reply == "json")

    def _add(self, call: Call) -> Reply:
        account, settings = self._account, self._account.settings
        author, group = self._begin_change(call)
        wanted = bodies.read_addition(call, settings)
        unknown = len(set(wanted.branch_ids) - {branch.idst for branch in account.people.branches()})
        unknown += sum(1 for number in wanted.group_ids if account.groups.by_number(number) is None)
        if settings.unknown_ids == "refuse" and (unknown or account.people.unknown_users(wanted.user_ids)):
            raise errors.refused(400, "some ids are nobody's", settings)
        ids = set(wanted.user_ids)
        branches = set(wanted.branch_ids)
        if settings.branch_descendants:
            branches = account.people.with_descendants(branches)
        ids.update(account.people.in_branches(branches))
        for number in wanted.group_ids:
            ids.update(account.members.ids(number, 0, -1))
        return _changed(account.change_members(group, "add", sorted(ids), author))

    def _begin_change(self, call: Call) -> tuple[int, Group]:
        account, settings = self._account, self._account.settings
        author = account.admit(call)
        if account.changes_in_flight and settings.concurrent_changes == "refuse":
            raise errors.refused(409, "another change of members is still being answered", settings)
        group = account.group(call)
        if group.type == "automatic" and settings.manual_in_automatic == "refuse":
            raise errors.refused(400, "the members of an automatic group are its rules' affair", settings)
        return author, group


def _changed(in_background: bool) -> Reply:
    return replies.data_reply({"success": True, "background_job": in_background})
