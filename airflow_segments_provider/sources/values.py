"""User IDs in lists, rows, data frames, arrays, and sources such as a query."""

from __future__ import annotations

import re
from array import array as PythonArray
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import chain, islice
from typing import Any, Protocol, TypeGuard

from airflow_segments_provider.errors import InvalidInput

CHUNK = 25_000
# Readers check so often whether to stop: a source may be slow.
CHECKED_EVERY = 1_000

SUBJECT = "The source"

_NONE = object()
_SCALARS = (str, bytes, bytearray, memoryview)
# Floating-point types whose values change in Python, as NumPy, pandas, Polars and Arrow write them, also within other
# types: `dictionary<values=float, …>`, `list<item: float>`, `List(Float32)`.
_INEXACT = re.compile(r"(?:^|[=(]|: )((?:half)?float(?:16|32)?)(?![\w:])", re.IGNORECASE)
# Arrow's; those of pandas, Polars and Spark.
_COLUMNS = ("column_names", "columns")
_OF_A_FRAME = '`frame["user_id"]`'
_OF_TUPLES = "`[row[0] for row in rows]`"
_OF_DICTS = '`[row["user_id"] for row in rows]`'


class Source(Protocol):
    """A source of user IDs for a task. Not iterable: Airflow iterates over a mapped argument when it parses a DAG.

    :cvar template_fields: the attributes that Airflow renders.
    """

    template_fields: Sequence[str]

    def read_ids(self) -> Iterator[object]:
        """Yield raw values, one for each row.

        :raises InvalidInput: the source cannot be read exactly.
        """


# See `read_values`.
UserSource = Source | Iterable[object]


def is_source(value: Any) -> TypeGuard[Source]:
    """Return whether this is an object that reads user IDs."""
    return _has(value, "read_ids") and not isinstance(value, type)


def read_values(values: object) -> Iterator[object]:
    """Return the raw values of a source or any collection of user IDs, one for each row.

    A data frame, a table, and rows of any kind must have exactly one column.

    :raises InvalidInput: the type or shape is another. The shape of rows is checked while they are read.
    """
    if is_source(values):
        return iter(values.read_ids())
    if isinstance(values, (*_SCALARS, Mapping, type)) or _is_file(values):
        raise _unreadable(values)
    if _is_table(values):
        columns = _columns(values)
        if len(columns) != 1:
            raise _wide(f"the user IDs are in a table of {len(columns):,} columns", _OF_A_FRAME)
        return _column(values)
    if not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0:
        raise _unreadable(values)
    return _rows(_array(values))


def _has(value: Any, name: str) -> bool:
    """Return whether an object has an attribute by its class.

    By itself, a frame or a series of pandas also has the names of its columns or rows. A proxy has the class of what it
    stands for.
    """
    return hasattr(value.__class__, name)


def concatenated(parts: Iterable[object]) -> Iterator[object]:
    """Return the values of several sources, lists or results, one after the other."""
    return chain.from_iterable(map(read_values, parts))


def chunks(values: Iterable[Any], size: int = CHUNK, check: Callable[[], None] = lambda: None) -> Iterator[list[Any]]:
    """Yield lists of at most so many values.

    :param check: called every 1,000 values; raises where the run has to stop.
    """
    iterator = iter(values)
    while True:
        chunk = list[Any]()
        while len(chunk) < size:
            check()
            wanted = min(CHECKED_EVERY, size - len(chunk))
            part = list(islice(iterator, wanted))
            chunk += part
            if len(part) < wanted:
                break
        if not chunk:
            return
        yield chunk


def _rows(values: Iterator[Any]) -> Iterator[object]:
    """Yield plain values as they are, and of rows with one column that column; the first value decides."""
    for first in values:
        rest: Iterator[object] = chain([first], values)
        if isinstance(first, Mapping):
            rest = _of_dicts(rest)
        elif _is_row(first):
            rest = _of_tuples(rest)
        elif _is_table(first):
            raise _tables()
        yield from rest


def _of_tuples(rows: Iterable[Any]) -> Iterator[object]:
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Mapping) or not _is_row(row):
            raise _mixed(number)
        if len(row) != 1:
            raise _wide(f"row {number:,} of the user IDs has {len(row):,} columns", _OF_TUPLES)
        # By position: in a series of pandas, 0 is a label.
        yield next(iter(row))


def _of_dicts(rows: Iterable[Any]) -> Iterator[object]:
    key: Any = _NONE
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise _mixed(number)
        if len(row) != 1:
            raise _wide(f"row {number:,} of the user IDs has {len(row):,} columns", _OF_DICTS)
        (name,) = row
        if key is _NONE:
            key = name
        if name != key:
            raise _wide(f"row {number:,} of the user IDs has another column than the rows before it", _OF_DICTS)
        yield row[name]


def _is_row(value: Any) -> bool:
    """Return whether this is a row of a database driver or array; these have no common base class."""
    if isinstance(value, (tuple, list)):
        return True
    # `Sized` asks the class, not its class: the members of an enumeration have no length.
    if not isinstance(value, Sized) or not hasattr(type(value), "__getitem__") or isinstance(value, _SCALARS):
        return False
    try:
        len(value)
    except TypeError:  # an array without dimensions
        return False
    return not _is_table(value)


def _is_table(value: Any) -> bool:
    """Return whether this is a data frame or table; a row may have a column of such a name."""
    return bool(_named(value))


def _is_file(values: object) -> bool:
    return _has(values, "readline")


def _columns(table: Any) -> list[object]:
    """Return the columns of a data frame or table, the index of pandas included."""
    index = getattr(table.index, "names", ()) if _has(table, "index") else ()
    return [*(name for name in index if name is not None), *getattr(table, _named(table))]


def _named(value: Any) -> str:
    """Return the attribute that has the names of columns; an empty text if there is none."""
    return next((name for name in _COLUMNS if _has(value, name) and not callable(getattr(value, name))), "")


def _column(table: Any) -> Iterator[object]:
    """Return the values of the only column of a table."""
    if _has(table, "to_batches"):
        return _rows(chain.from_iterable(_array(batch.column(0)) for batch in table.to_batches()))
    if _has(table, "column_names"):
        return _rows(_array(table.column(0)))
    if _has(table, "iloc"):
        return _rows(_array(table.iloc[:, 0]))
    if _has(table, "to_series"):
        return _rows(_array(table.to_series(0)))
    if _has(table, "toLocalIterator"):
        return _rows(table.toLocalIterator())
    raise _unreadable(table)


def _array(array: Any) -> Iterator[Any]:
    """Return the values of an array or series, a part at a time where it is converted.

    :raises InvalidInput: it has floating-point numbers of 32 bits or fewer, which would change.
    """
    kind = getattr(array, "dtype", getattr(array, "type", None))
    kind = getattr(getattr(kind, "categories", None), "dtype", kind)  # pandas'
    kind = getattr(kind, "name", kind)  # of NumPy's, the text may be `>f4`
    if isinstance(array, PythonArray) and array.typecode == "f":
        kind = "float32"
    if inexact := _INEXACT.search(str(kind)):
        # The whole type may contain names of columns.
        problem = (
            f"the user IDs are numbers of the type {inexact[1]}, which is not exact. Cast them to text or to an "
            "integer type."
        )
        raise InvalidInput(SUBJECT, [problem])
    if _has(array, "slice") and _has(array, "to_pylist"):
        starts = range(0, len(array), CHUNK)
        return chain.from_iterable(array.slice(start, CHUNK).to_pylist() for start in starts)
    return iter(array)


def _unreadable(values: object) -> InvalidInput:
    if isinstance(values, _SCALARS):
        found = "one text"
    else:
        found = "a file" if _is_file(values) else f"of type {type(values).__name__}"
    problem = (
        f"the user IDs are {found}. They must be a list or another iterable, rows or a data frame with one column, or "
        "a source such as SqlMembers or FileMembers."
    )
    return InvalidInput(SUBJECT, [problem])


def _wide(what: str, how: str) -> InvalidInput:
    return InvalidInput(SUBJECT, [f"{what}. There must be exactly one; select it, for example with {how}."])


def _tables() -> InvalidInput:
    problem = (
        "the user IDs are in a list of data frames or tables. Pass the values of each: "
        '`[user for frame in frames for user in frame["user_id"]]`.'
    )
    return InvalidInput(SUBJECT, [problem])


def _mixed(number: int) -> InvalidInput:
    return InvalidInput(SUBJECT, [f"row {number:,} of the user IDs is of another kind than the rows before it."])


class NotGiven:
    """A parameter without a list of users; unlike an empty list, which may be the result of a query."""

    template_fields: Sequence[str] = ()

    def read_ids(self) -> Iterator[object]:
        """Return no values."""
        return iter(())

    def __str__(self) -> str:
        """Return the text that Airflow stores and shows."""
        return "no user ids"

    __repr__ = serialize = __str__


NOT_GIVEN = NotGiven()
