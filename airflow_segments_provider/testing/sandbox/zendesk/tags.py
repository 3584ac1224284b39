"""The operations on the tags of users."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from airflow_segments_provider.testing.sandbox.messages import Reply
from airflow_segments_provider.testing.sandbox.zendesk import errors
from airflow_segments_provider.testing.sandbox.zendesk.access import Guest, demand_staff
from airflow_segments_provider.testing.sandbox.zendesk.account import Account
from airflow_segments_provider.testing.sandbox.zendesk.bodies import read_object, read_tags
from airflow_segments_provider.testing.sandbox.zendesk.paging import Listing, page_reply
from airflow_segments_provider.testing.sandbox.zendesk.replies import json_reply
from airflow_segments_provider.testing.sandbox.zendesk.users import Users


class Tags:
    """One user's tags, in the order in which they were added; that order is an assumption."""

    def __init__(self, account: Account, users: Users) -> None:
        self._account, self._users = account, users

    def list_all(self, guest: Guest) -> Reply:
        """List the tags of all users with their counts, within a limit of its own; by name, which is an assumption."""
        demand_staff(guest, self._account)
        headers = self._count_list()
        counts = sorted(Counter(tag for user in self._account.users.all() for tag in user.tags).items())

        def render(numbers: Sequence[int]) -> list[dict[str, object]]:
            return [dict(zip(("name", "count"), counts[number - 1], strict=True)) for number in numbers]

        listing = Listing("tags", "support", range(1, len(counts) + 1), render)
        reply = page_reply(guest.ask, listing, self._account.settings)
        return replace(reply, headers={**reply.headers, **headers})

    def get(self, guest: Guest) -> Reply:
        """Return one user's tags."""
        demand_staff(guest, self._account)
        return json_reply(200, {"tags": self._users.found(guest).tags})

    def put_in_place(self, guest: Guest) -> Reply:
        """Put tags in the place of all."""
        return self._change(guest, 201, lambda had, given: given)

    def add(self, guest: Guest) -> Reply:
        """Add tags."""
        return self._change(guest, 200, lambda had, given: list(dict.fromkeys([*had, *given])))

    def remove(self, guest: Guest) -> Reply:
        """Remove the tags that the body lists."""
        status = self._account.settings.tags_delete_status
        reply = self._change(guest, status, lambda had, given: [tag for tag in had if tag not in given])
        return replace(reply, content=b"", content_type=None) if status == 204 else reply

    def _count_list(self) -> dict[str, str]:
        most = self._account.settings.tag_lists_per_minute
        if most is None:
            return {}
        now, budget = self._account.now(), self._account.budgets["tags"]
        wait = budget.refuse(now, most)
        left = f"total={most}; remaining={budget.remaining(now, most)}; resets={budget.resets(now)}"
        headers = {"zendesk-ratelimit-tags-index": left}
        if wait is not None:
            raise errors.too_many_calls(wait, headers)
        return headers

    def _change(self, guest: Guest, status: int, change: Callable[[list[str], list[str]], list[str]]) -> Reply:
        """Change the tags; that an account without tagging answers 403 is an assumption."""
        demand_staff(guest, self._account)
        if not self._account.settings.user_tagging:
            raise errors.forbidden(self._account.settings, "Users cannot be tagged in this account")
        user = self._users.found(guest)
        tags = change(user.tags, read_tags(read_object(guest.ask).get("tags")))
        self._account.change_user(user, self._account.now(), tags=tags)
        return json_reply(status, {"tags": tags})
