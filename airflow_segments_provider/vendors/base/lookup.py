"""The look-up of a vendor's IDs of users, by e-mail address or name, before a write."""

from __future__ import annotations

import json
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Protocol, Self

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.progress import ProgressLog
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.id_storage import IdSet
from airflow_segments_provider.sources.ids import without_case
from airflow_segments_provider.sources.limits import breach_of_unmatched
from airflow_segments_provider.sources.look_up import NO_USER, SEVERAL_USERS, LookUp

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.base.api import VendorApi
    from airflow_segments_provider.vendors.base.parameters import LookupParameters


logger = logging.getLogger(__name__)

# For fewer users, a search for each is cheaper than any list, or as cheap.
FEW = 20


def user_key(value: str) -> str:
    """Return the key by which e-mail addresses and names are compared: without case and outer white space."""
    return without_case(value.strip())


class UserLookUp:
    """A look-up by one search for each user, or by the list of all users where that takes fewer requests.

    The list is read once, when the first user is looked up, into a temporary database. It may change meanwhile, so a
    few missing values are searched nevertheless.

    :param search: returns the IDs of all users with exactly this value.
    :param concurrently: calls a function for each value, several at once; see :meth:`VendorApi.concurrently`.
    :param key: returns the key by which values are compared.
    :param users: how many values will be looked up in all.
    :param everyone: returns how many more requests the list of all users takes, and its pages of values and IDs; None
        where the list is not to be read. Called for more than :data:`FEW` users; it may send a request.
    :param probe: how many requests ``everyone`` sends.
    """

    def __init__(
        self,
        search: Callable[[str], set[str]],
        concurrently: Callable[[Callable[[str], set[str]], list[str]], list[set[str]]],
        key: Callable[[str], str],
        users: int,
        everyone: Callable[[], tuple[int, Iterable[Iterable[tuple[str, str]]]] | None],
        *,
        probe: int = 0,
    ) -> None:
        self._search = search
        self._concurrently = concurrently
        self._key = key
        self._pages: Iterable[Iterable[tuple[str, str]]] | None = None
        self._index: IdSet | None = None
        self.requests = users
        if users > FEW:
            found = everyone()
            self.requests += probe
            if found and found[0] <= users:
                self.requests, self._pages = found[0] + probe, found[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._index is not None:
            self._index.close()

    def __call__(self, values: list[str]) -> dict[str, str | None]:
        """Look up a batch."""
        if self._pages is not None and self._index is None:
            self._index = IdSet()
            for page in self._pages:
                self._index.update_users((self._key(value), user_id) for value, user_id in page if value)
        found: dict[str, set[str]] = {}
        if self._index is not None:
            found = {value: ids for value in values if (ids := self._index.users(self._key(value)))}
        missing = [value for value in values if value not in found]
        if self._index is None or len(missing) <= FEW:
            self.requests += len(missing) if self._index is not None else 0
            searched = self._concurrently(self._search, missing)
            found |= {value: ids for value, ids in zip(missing, searched, strict=True) if ids}
        return {value: next(iter(ids)) if len(ids) == 1 else None for value, ids in found.items()}


NOT_LISTED = "Only operators list them in a file."


class UnmatchedList(Protocol):
    """A list of the users of a write that were not found.

    :ivar location: of the file, after :meth:`keep`.
    """

    location: str | None

    def keep(self, path: Path) -> str:
        """Copy a file with a line of JSON for each, ``{"user_id": "…", "reason": "…"}``.

        :return: a sentence: where the users are listed, or why they are not.
        """


@dataclass(frozen=True)
class IdRules:
    """The rules of :class:`~airflow_segments_provider.sources.batches.StagedUserIds` for one kind of ID."""

    max_length: int
    per_request: int
    whole_numbers: bool = False
    distinct: bool = False


class UserRules:
    """A vendor's rules for the users of a write.

    :param unmatched_list: lists users that are not found; None where no operator makes the call.
    :cvar identities: what ``identify_by`` may be besides ``id``, and the plural of each in messages.
    """

    identities: ClassVar[dict[str, str]] = {}
    api: VendorApi

    def __init__(self, api: Any, unmatched_list: UnmatchedList | None = None) -> None:
        self.api = api
        self.unmatched_list = unmatched_list

    def id_rules(self, identify_by: str) -> IdRules:
        """Return the rules for user IDs of one kind."""
        raise NotImplementedError

    def user_key(self, value: str) -> str:
        """Return the key of a user: values with the same key are one user. By default, case does not matter."""
        return user_key(value)

    def look_up(self, identify_by: str, users: int) -> AbstractContextManager[LookUp]:
        """Return a function that finds the vendor's IDs of users.

        :param users: how many users will be looked up.
        """
        raise NotImplementedError

    def problems(self, parameters: Any, users: StagedUserIds, source: object) -> list[str]:  # noqa: ARG002
        """Return the problems of a write besides those of its parameters and IDs.

        :param parameters: checked parameters; wrong ones have their defaults.
        :param source: the source of the users.
        """
        return []


@contextmanager
def identified(
    rules: UserRules, staged: StagedUserIds, parameters: LookupParameters, identify_by: str, subject: str
) -> Iterator[tuple[StagedUserIds, dict[str, Any]]]:
    """Look up users, and stage the vendor's IDs of them.

    :param staged: the values that identify the users; read batch by batch.
    :param subject: the write, at the beginning of a message.
    :return: the vendor's IDs, and the fields of the result for users who were not found.
    :raises InvalidInput: users were not found: any with ``on_unmatched="fail"``, else too many. Only look-ups were
        sent.
    """
    ids = replace(rules.id_rules("id"), distinct=True, whole_numbers=False)
    with (
        StagedUserIds(**asdict(ids)) as found,
        _Unmatched() as unmatched,
        rules.look_up(identify_by, staged.users) as look_up,
    ):
        found.fill(_ids(staged, look_up, rules.user_key, unmatched))
        if not unmatched.counts:
            yield found, {}
            return
        listed = rules.unmatched_list.keep(unmatched.file()) if rules.unmatched_list else NOT_LISTED
        if problem := _problem(unmatched, parameters, rules.identities[identify_by]):
            raise InvalidInput(subject, [f"{problem} {listed}"], rules.api.where)
        location = rules.unmatched_list.location if rules.unmatched_list else None
        yield found, {"users_unmatched": dict(unmatched.counts), "unmatched_file": location}


class _Unmatched:
    """The users who were not found, in a temporary file, so that a million of them need no memory.

    :ivar looked_up: how many users were looked up.
    """

    def __init__(self) -> None:
        self.looked_up = 0
        self.counts: Counter[str] = Counter()
        self._file: IO[str] = tempfile.NamedTemporaryFile(  # noqa: SIM115
            "w", prefix="segments-", suffix=".jsonl", encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, value: str, reason: str) -> None:
        """Add a user."""
        self.counts[reason] += 1
        self._file.write(json.dumps({"user_id": value, "reason": reason}, ensure_ascii=False) + "\n")

    def file(self) -> Path:
        """Return the file, with all that was added."""
        self._file.flush()
        return Path(self._file.name)


def _problem(unmatched: _Unmatched, parameters: LookupParameters, wanted: str) -> str:
    """Return the problem if the users who were not found cannot be left out, or an empty text."""
    missing, total = unmatched.counts.total(), unmatched.looked_up
    breach = breach_of_unmatched(missing, total, parameters.max_unmatched_fraction)
    if parameters.on_unmatched == "skip" and not breach:
        return ""
    found = " ".join(
        f"{count:,} of {total:,} {wanted} belong to {reason}." for reason, count in sorted(unmatched.counts.items())
    )
    if missing == total:
        return f"{found} None was found, which `on_unmatched` cannot allow. Check `identify_by` and the source."
    if parameters.on_unmatched == "skip":
        return f"{found} Too many for `on_unmatched`: {breach}. Correct the source, or raise the limit."
    return f'{found} Correct the source, or leave them out with `on_unmatched="skip"`.'


def _ids(staged: StagedUserIds, look_up: LookUp, key: Callable[[str], str], unmatched: _Unmatched) -> Iterator[str]:
    """Yield the ID of each user once, although the source may repeat users in different spellings."""
    with IdSet() as keys, IdSet() as user_ids:
        progress = ProgressLog(logger, "users looked up", staged.users)
        for batch in staged.batches():
            values = [value for value in batch.ids() if keys.add(key(value))]
            unmatched.looked_up += len(values)
            found = look_up(values) if values else {}
            for value in values:
                user_id = found.get(value)
                if user_id is None:
                    unmatched.add(value, SEVERAL_USERS if value in found else NO_USER)
                elif user_ids.add(user_id):
                    yield user_id
            progress.add(batch.users)
