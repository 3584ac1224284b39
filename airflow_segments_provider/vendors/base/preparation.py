"""The preparation of a write, the same for all: its parameters, its users, their look-up; then the first request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.values import NotGiven
from airflow_segments_provider.vendors.base.lookup import UserRules, identified
from airflow_segments_provider.vendors.base.parameters import Key, LookupParameters, Parameters, limit_problems, parsed

Model = TypeVar("Model", bound=Parameters)

ANY_LENGTH = 1_000_000


@dataclass(frozen=True)
class Write(Generic[Model]):
    """A write that is ready to be sent.

    :param has_users: the parameter for users was set, perhaps to an empty list.
    :param users: the vendor's IDs of them.
    :param left_out: the fields of the result for users who were left out.
    """

    parameters: Model
    has_users: bool
    users: StagedUserIds
    left_out: dict[str, Any]


@contextmanager
def prepare(
    rules: UserRules, subject: str, model: type[Model], values: dict[str, Any], source: object = ()
) -> Iterator[tuple[Any, Write[Model]]]:
    """Check a write completely, then look its users up.

    :param subject: the write, at the beginning of a message.
    :param values: the parameters.
    :param source: anything that :func:`~airflow_segments_provider.sources.values.read_values` reads.
    :return: the vendor's API, and the write.
    :raises ConfigurationError: the connection is read-only.
    :raises InvalidInput: with every problem found. No request was sent, or look-ups of users only.
    """
    # The client refuses the write in any case; this check fails before users are read and looked up.
    rules.api.client.check_writable(subject)
    accepted, readable, problems = parsed(model, values)
    identify_by = getattr(readable, "identify_by", "id")
    ids = rules.id_rules(identify_by)
    if "identify_by" in problems.fields:
        # Report only what is wrong with IDs of any kind.
        ids = replace(ids, max_length=ANY_LENGTH, whole_numbers=False)
    with StagedUserIds(**asdict(ids)) as staged:
        problems.texts += _read(staged, source, readable)
        problems.texts += [*rules.problems(readable, staged, source), *limit_problems(readable, staged)]
        subject = _named(subject, readable)
        if accepted is None or problems.texts:
            raise InvalidInput(subject, problems.texts, rules.api.where)
        rejected = {"users_rejected": dict(staged.invalid)}
        has_users = not isinstance(source, NotGiven)
        if identify_by == "id" or not isinstance(accepted, LookupParameters) or not staged.users:
            yield rules.api, Write(accepted, has_users, staged, rejected)
            return
        with identified(rules, staged, accepted, identify_by, subject) as (users, unmatched):
            yield rules.api, Write(accepted, has_users, users, rejected | unmatched)


def _named(subject: str, parameters: Parameters) -> str:
    """Return the write with its segment or group, as far as the parameters identify one."""
    if isinstance(parameters, Key) and any(getattr(parameters, key, None) for key in parameters.keys):
        return f"{subject} ({parameters})"
    return subject


def _read(staged: StagedUserIds, source: object, parameters: Any) -> list[str]:
    """Stage the users; return the problems."""
    try:
        problems = staged.fill(source)
    except InvalidInput as error:  # from a source or a template; some users may be staged already
        return list(error.problems)
    return [] if getattr(parameters, "on_invalid", "fail") == "skip" else problems
