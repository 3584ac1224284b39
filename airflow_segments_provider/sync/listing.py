"""The members that the vendor lists: before a plan, and after its requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_segments_provider.sync.identify import KEYED, checked_ids, normalise
from airflow_segments_provider.sync.ledger.state import REMOVED, Members
from airflow_segments_provider.sync.target import Target

# The table of the members' IDs, and that of identities without an ID.
LIVE, STRANGERS = "live", "strangers"
# The members' IDs before the requests.
LISTED_BEFORE = "listed_before"
NOT_WANTED = "a member who is not wanted, added by no sync"
NOT_LISTED = "added by a sync, and not a member any more"

# Owned members who are not listed even after another addition: their identity may be another one by now.
STILL_MISSING = (
    f"SELECT id FROM acknowledged SEMI JOIN (SELECT id FROM drift WHERE reason = '{NOT_LISTED}') USING (id) "
    f"ANTI JOIN {LIVE} USING (id) WHERE kind = 'add'"
)


def read_list(members: Members, target: Target, since: int) -> int:
    """Make the tables ``live`` and ``strangers``; return how many members are in the latter, without an ID.

    :param since: an identity that was looked up before, in milliseconds since 1970, may be another user's by now.
    """
    workspace = members.workspace
    pages = target.members()
    workspace.fill("listed", pages if target.shows == "identity" else (checked_ids(target, page) for page in pages))
    workspace.run(f"CREATE OR REPLACE TABLE {STRANGERS} (id VARCHAR)")
    if target.shows == "id":
        workspace.run(f"CREATE OR REPLACE TABLE {LIVE} AS SELECT DISTINCT id FROM listed")
    else:
        members.identities.make()
        normalise(workspace, "listed", target, "named")
        _join(members, target, since)
        workspace.run(f"INSERT INTO {STRANGERS} SELECT '' FROM listed WHERE id = ''")
    (unknown,) = workspace.one(f"SELECT count(*) FROM {STRANGERS}")
    workspace.run("DROP TABLE listed")
    return int(unknown)


def _join(members: Members, target: Target, since: int) -> None:
    """Divide the identities in the table ``named`` into those of known users, and others; leave out empty ones."""
    known = (
        "(SELECT identity, id FROM identities WHERE kind = ? AND id NOT NULL AND looked_up >= ?) AS known "
        "USING (identity)"
    )
    members.workspace.run(
        f"CREATE OR REPLACE TABLE {LIVE} AS SELECT DISTINCT known.id FROM named JOIN {known}", [target.identity, since]
    )
    members.workspace.run(
        f"INSERT INTO {STRANGERS} SELECT identity FROM named ANTI JOIN {known} WHERE identity <> ''",
        [target.identity, since],
    )


def strangers_to_look_up(members: Members, target: Target, *, everyone: bool) -> int:
    """Make the table ``to_look_up`` of listed members whose IDs are unknown; return how many they are.

    The source's own identities were looked up already. A member with one of those that were not found is wanted: if it
    were found now, it would be removed.

    :param everyone: all others; else those who were members because of us when they were looked up last.
    """
    ours, parameters = "", list[Any]()
    if not everyone:
        ours = (
            "AND id IN (SELECT identity FROM identities SEMI JOIN (SELECT id FROM known WHERE owned OR uncertain "
            "NOT NULL) AS held USING (id) WHERE kind = ?)"
        )
        parameters = [target.identity]
    (users,) = members.workspace.one(
        "CREATE OR REPLACE TABLE to_look_up AS SELECT DISTINCT id AS identity, id AS value "
        f"FROM {STRANGERS} WHERE id <> '' AND id NOT IN (SELECT identity FROM {KEYED}) {ours}",
        parameters,
    )
    return int(users)


def identify_strangers(members: Members, target: Target, since: int) -> int:
    """Move the listed members who were looked up to ``live``; return how many members without an ID remain.

    :param since: see :func:`read_list`.
    """
    members.workspace.run(f"DELETE FROM {STRANGERS} WHERE id <> ''")
    _join(members, target, since)
    (left,) = members.workspace.one(f"SELECT count(*) FROM {STRANGERS}")
    return int(left)


def find_drift(members: Members, wanted: str) -> dict[str, int]:
    """Make the table ``drift``: members that should not be there, and owned ones that the list does not show.

    :param wanted: the table of the wanted IDs.
    :return: how many there are of both, the strangers without an ID included.
    """
    workspace = members.workspace
    workspace.run(
        f"""
        CREATE OR REPLACE TABLE drift AS
        SELECT id, '{NOT_WANTED}' AS reason FROM {LIVE}
        ANTI JOIN {wanted} USING (id)
        ANTI JOIN (SELECT id FROM known WHERE owned OR uncertain NOT NULL UNION ALL {REMOVED}) USING (id)
        UNION ALL
        SELECT id, '{NOT_LISTED}' FROM known ANTI JOIN {LIVE} USING (id)
        WHERE owned AND uncertain IS NULL AND pending IS NULL
        UNION ALL
        SELECT id, '{NOT_WANTED}' FROM {STRANGERS}
        """
    )
    found = dict(workspace.rows("SELECT reason, count(*) FROM drift GROUP BY reason"))
    return {"strangers": found.get(NOT_WANTED, 0), "missing": found.get(NOT_LISTED, 0)}


def write_drift(members: Members) -> Path:
    """Write the table ``drift`` to a file, a line of JSON for each user."""
    return members.workspace.write_users("drift", "SELECT id, reason FROM drift WHERE id <> '' ORDER BY reason, id")


def unconfirmed(members: Members, actions: str) -> int:
    """Return how many acknowledged changes the tables ``live`` and ``strangers`` do not show; see :func:`confirm`.

    :param actions: the table of the plan's actions.
    """
    workspace = members.workspace
    workspace.run(
        f"CREATE OR REPLACE TABLE acknowledged AS SELECT id, 'add' AS kind FROM {actions} JOIN known USING (id) "
        "WHERE action IN ('add', 'again') AND owned AND rejected IS NULL UNION ALL "
        f"SELECT id, 'remove' FROM {actions} ANTI JOIN (SELECT id FROM known WHERE owned OR rejected NOT NULL) "
        "USING (id) WHERE action IN ('remove', 'remove_again')"
    )
    (found,) = workspace.one(
        f"SELECT count(*) FROM acknowledged LEFT JOIN (SELECT id, true AS shown FROM {LIVE}) USING (id) "
        "WHERE (kind = 'add') <> (shown IS TRUE)"
    )
    return int(found)


def confirm(members: Members, actions: str, background: str | None) -> None:
    """Account for what the list shows of the changes in the table ``acknowledged``.

    A removed user who is still listed stays owned, and is removed again by the next run. An addition in the background
    that is listed was carried out, and no late one can follow, if only that can have made the user a member.

    :param actions: the table of the plan's actions.
    :param background: a table of the users whose addition the vendor continued in the background; None for no user.
    """
    members.put(
        f"SELECT id, true AS owned, uncertain, 'remove' AS pending, NULL AS rejected, NULL AS size, NULL AS reason "
        f"FROM acknowledged SEMI JOIN {LIVE} USING (id) LEFT JOIN known USING (id) WHERE kind = 'remove'"
    )
    if background is None:
        return
    members.put(
        f"SELECT known.* REPLACE (NULL AS uncertain) FROM acknowledged SEMI JOIN {LIVE} USING (id) "
        f"SEMI JOIN {background} USING (id) SEMI JOIN (SELECT id FROM {actions} WHERE action = 'add' AND new) AS new "
        f"USING (id) ANTI JOIN {LISTED_BEFORE} USING (id) JOIN known USING (id) WHERE kind = 'add'"
    )
