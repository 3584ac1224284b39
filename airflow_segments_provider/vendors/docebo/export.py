"""The export of the members of a Docebo group to a file: streamed, checked, then copied."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import IO, TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from airflow_segments_provider.errors import SegmentsError, UnexpectedReply
from airflow_segments_provider.vendors.docebo.api import GROUPS
from airflow_segments_provider.vendors.docebo.members import GroupMembers
from airflow_segments_provider.vendors.docebo.parameters import COLUMNS, Column, ExportUsers
from airflow_segments_provider.vendors.docebo.responses import GroupExport

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.vendors.docebo.api import DoceboApi


# The content types of CSV files; a server may answer with HTML or JSON.
_CSV_TYPES = (
    "text/csv",
    "text/plain",
    "application/csv",
    "application/octet-stream",
    "application/vnd.ms-excel",
    "",
)

# Rows that are read at once.
ROWS = 10_000

# The names of the columns in the list of members.
_SHOWN_AS = {"userid": "username", "firstname": "first_name", "lastname": "last_name", "email": "email"}


def _storage_path(value: Any) -> Any:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    try:
        path = value if isinstance(value, ObjectStoragePath) else ObjectStoragePath(value)
        # Older versions of Airflow check the scheme only here.
        path.fs  # noqa: B018
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        raise ValueError(f"leads nowhere: {error}") from None
    return path


class Export(ExportUsers):
    """The parameters of an export, with its path."""

    path: Annotated[Any, BeforeValidator(_storage_path)]


def export(api: DoceboApi, wanted: Export) -> GroupExport:
    """Write the file.

    :raises UnexpectedReply: the response is not CSV with these columns, or is incomplete; nothing was written.
    """
    columns = [column for column in COLUMNS if column in wanted.columns]
    members = GroupMembers(api, api.resolve_id(wanted))
    with _received(members, columns, wanted.delimiter, header=wanted.include_header) as (checked, users):
        size = checked.seek(0, io.SEEK_END)
        checked.seek(0)
        write_file(wanted.path, checked)
    return GroupExport(path=str(wanted.path), bytes=size, users=users, columns=columns)


def write_file(path: Any, content: IO[bytes]) -> None:
    """Write a file of members; an existing one is replaced.

    :param path: an ``ObjectStoragePath``.
    :raises SegmentsError: the storage refuses it.
    """
    failure = ""
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(content, file)
    except Exception as error:  # noqa: BLE001  # each storage has its own
        failure = type(error).__name__
    if failure:
        raise SegmentsError(
            f"The members were read, and the file {path} cannot be written ({failure}). Check that `path` is not a "
            "directory, that its directory exists, and that the task may write there."
        )


def exported(members: GroupMembers, column: Column) -> Iterator[list[str]]:
    """Yield one column of all members, in parts; one call for any number of them.

    :raises UnexpectedReply: the response is not CSV with this column, or is incomplete.
    """
    # With a header, the file of an empty group is not an empty file, which would need another call to be believed.
    with _received(members, [column], ",", header=True) as (checked, _):
        checked.seek(0)
        rows = islice(csv.reader(io.TextIOWrapper(checked, encoding="utf-8", newline="")), 1, None)
        while part := [row[0] if row else "" for row in islice(rows, ROWS)]:
            yield part


@contextmanager
def _received(
    members: GroupMembers, columns: Sequence[str], delimiter: str, *, header: bool
) -> Iterator[tuple[IO[bytes], int]]:
    """Receive an export, and return a temporary file with its checked rows, and the number of members."""
    api = members.api
    # Without flags that are off: a server may read the text "false" as true.
    query: dict[str, str] = {**dict.fromkeys(columns, "true"), "delimiter": delimiter}
    if header:
        query["include_header"] = "true"
    with tempfile.TemporaryFile(prefix="segments-") as received, tempfile.TemporaryFile(prefix="segments-") as checked:
        response = api.call("GET", *GROUPS, members.group_id, "export-users", query=query, into=received)
        rows, last, wrong = 0, list[str](), ""
        try:
            _check_type(response)
            rows, last = _copy_rows(received, checked, len(columns), delimiter)
        except UnicodeDecodeError:
            wrong = "it is not UTF-8"
        except (ValueError, csv.Error) as error:
            wrong = str(error)
        if wrong:  # outside of the handlers: raised in one, it would have users' data in its context
            raise _refused(api, response, f"not with CSV of {len(columns)} columns: {wrong}")
        users = max(0, rows - header)
        if not _ends_a_line(received) and not _is_whole(members, columns, users, last):
            raise _refused(api, response, "with a file that breaks off")
        yield checked, users


def _check_type(response: Response) -> None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind.lower() not in _CSV_TYPES:
        raise ValueError(f"it is {response.call.clean(kind)[:60]}")


def _copy_rows(received: IO[bytes], checked: IO[bytes], columns: int, delimiter: str) -> tuple[int, list[str]]:
    """Copy row by row, without a byte order mark and with one kind of line end.

    :return: the number of rows, and the last one.
    :raises ValueError: it is not CSV, or a row has another number of columns.
    """
    received.seek(0)
    source = io.TextIOWrapper(received, encoding="utf-8-sig", newline="")
    target = io.TextIOWrapper(checked, encoding="utf-8", newline="")
    try:
        writer, rows, values = csv.writer(target, delimiter=delimiter, lineterminator="\n"), 0, list[str]()
        if source.read(1) in ("{", "<"):
            raise ValueError("it is JSON or a page")
        source.seek(0)
        for row in csv.reader(source, delimiter=delimiter, strict=True):
            # With one column, an empty line is an empty value.
            values = row or [""] * (columns == 1)
            if values:
                rows += 1
                if len(values) != columns:
                    raise ValueError(f"row {rows} has {len(values)}")
                writer.writerow(values)
        return rows, values
    finally:
        source.detach()
        target.detach()


def _is_whole(members: GroupMembers, columns: Sequence[str], users: int, last: list[str]) -> bool:
    """Return whether a file is complete although its last line has no line end, or it has no lines."""
    if users != members.count():
        return False
    if not users:
        return True
    search = max(last, key=len)
    shown = members.list(search_text=search) if search else ()
    return any([getattr(member, _SHOWN_AS[column]) or "" for column in columns] == last for member in shown)


def _ends_a_line(received: IO[bytes]) -> bool:
    if not received.seek(0, io.SEEK_END):
        return False
    received.seek(-1, io.SEEK_END)
    return received.read(1) in (b"\n", b"\r")


def _refused(api: DoceboApi, response: Response, how: str) -> UnexpectedReply:
    return UnexpectedReply(
        f"Docebo answered {response.call} with status {response.status}, but {how}. Nothing was written. {api.where}",
        **response.context,
    )
