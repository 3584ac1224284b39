"""User IDs in every shape of a data source: read exactly, or invalid."""

from __future__ import annotations

import array
import enum
import io
import pathlib
import sqlite3
from collections import OrderedDict, UserList, deque, namedtuple

import numpy as np
import pandas as pd
import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.values import CHUNK, chunks, concatenated, read_values

pa = pytest.importorskip("pyarrow")
Row = namedtuple("Row", ["user_id"])
Wide = namedtuple("Wide", ["user_id", "plan"])


class Plan(enum.Enum):
    TRIAL = "trial"
    PAID = "paid"


class Query:
    template_fields = ("sql",)
    sql = "SELECT 1"

    def read_ids(self):
        yield from ("a", "b")


class DriverRow:
    """A row that shares no base class with others, as pyodbc's."""

    def __init__(self, *values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, place):
        return self.values[place]


class StandIn:
    """An object that stands for another one, as those of `lazy_object_proxy`."""

    def __init__(self, other):
        self.other = other

    __class__ = property(lambda self: type(self.other))

    def __getattr__(self, name):
        return getattr(self.other, name)

    def __iter__(self):
        return iter(self.other)


def sqlite_rows(sql):
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    return database.execute(sql).fetchall()


AB = ["a", "b"]
READ = {
    "a list": (AB, AB),
    "a tuple": (("a", "b"), AB),
    "a set of one": ({"a"}, ["a"]),
    "a generator": ((each for each in AB), AB),
    "dict keys": ({"a": 1, "b": 2}.keys(), AB),
    "a deque": (deque(AB), AB),
    "a sequence of one's own": (UserList(AB), AB),
    "a range": (range(2), [0, 1]),
    "machine integers": (array.array("q", [1, 2]), [1, 2]),
    "nothing": ([], []),
    "no rows": (iter(()), []),
    "with a missing value": ([None, "a"], [None, "a"]),
    "a nested value among plain ones": (["a", ("b",)], ["a", ("b",)]),
    "tuples": ([("a",), ("b",)], AB),
    "lists": ([["a"], ["b"]], AB),
    "rows with a missing value": ([(None,), ("a",)], [None, "a"]),
    "named tuples": ([Row("a"), Row("b")], AB),
    "a driver's rows": ([DriverRow("a"), DriverRow("b")], AB),
    "rows of several types": ([("a",), ["b"]], AB),
    "dicts": ([{"user_id": "a"}, {"user_id": "b"}], AB),
    "ordered dicts": ([OrderedDict(user_id="a")], ["a"]),
    "a row with a column of that name": ([namedtuple("Any", ["columns"])("a")], ["a"]),
    "series of one": ([pd.Series(["a"], index=["user_id"]), pd.Series(["b"], index=[7])], AB),
    "an enumeration": ([Plan.TRIAL, Plan.PAID], [Plan.TRIAL, Plan.PAID]),
    "rows of SQLite": (sqlite_rows("SELECT 'a' AS user_id"), ["a"]),
    "a cursor": (sqlite3.connect(":memory:").execute("SELECT 'a'"), ["a"]),
    "a source": (Query(), AB),
    "an array": (np.array([101, 102]), [101, 102]),
    "an array of one column": (np.array([["a"], ["b"]]), AB),
    "a structured array": (np.array([("a",)], dtype=[("user_id", "U1")]), ["a"]),
    "an empty array": (np.array([]), []),
    "a series": (pd.Series(AB), AB),
    "a series of whole numbers": (pd.Series([2**53 + 1]), [2**53 + 1]),
    "a series with categories": (pd.Series(AB, dtype="category"), AB),
    "an index": (pd.Index(AB), AB),
    "a data frame": (pd.DataFrame({"user_id": AB}), AB),
    "a column of a frame with an index": (
        pd.DataFrame({"user_id": AB}, index=pd.Index([1, 2], name="n"))["user_id"],
        AB,
    ),
    "a field called float": (pa.array([{"float": "a"}]), ["a"]),
    "an empty data frame": (pd.DataFrame({"user_id": []}), []),
    "an Arrow array": (pa.array(AB), AB),
    "an Arrow array with a dictionary": (pa.array(AB).dictionary_encode(), AB),
    "a chunked Arrow array": (pa.chunked_array([["a"], ["b"]]), AB),
    "an Arrow table": (pa.table({"user_id": AB}), AB),
    **{
        f"a series with a row called {name}": (pd.Series(AB, index=[name, "b"]), AB)
        for name in ("columns", "column_names", "read_ids", "readline", "slice", "typecode")
    },
    **{
        f"a frame with a column called {name}": (pd.DataFrame({name: AB}), AB)
        for name in ("columns", "column_names", "index", "read_ids", "readline", "to_batches", "toLocalIterator")
    },
    "an Arrow batch": (pa.RecordBatch.from_pydict({"user_id": AB}), AB),
}

REJECTED = {
    "text": ("ada", "one text"),
    "bytes": (b"ada", "one text"),
    "a number": (7, "of type int"),
    "nothing at all": (None, "of type NoneType"),
    "a dict": ({"user_id": "ada"}, "of type dict"),
    "a class": (Row, "of type type"),
    "a path": (pathlib.PurePath("ada.csv"), "of type Pure"),
    "a text file": (io.StringIO("ada\n"), "a file"),
    "a binary file": (io.BytesIO(b"ada\n"), "a file"),
    "the class of a source": (Query, "of type type"),
    "a stand-in for a frame": (StandIn(pd.DataFrame({"ada": ["x"], "eve": ["y"]})), "in a table of 2 columns"),
    "a coroutine": ((lambda: (yield))().__class__, "of type type"),
    "an array without dimensions": (np.array("ada"), "of type ndarray"),
    "tuples of two": ([("ada", "trial")], "row 1 of the user IDs has 2 columns"),
    "lists of two": ([["ada"], ["eve", "kay"]], "row 2 of the user IDs has 2 columns"),
    "named tuples of two": ([Wide("ada", "trial")], "row 1 of the user IDs has 2 columns"),
    "rows without columns": ([()], "row 1 of the user IDs has 0 columns"),
    "dicts of two": ([{"user_id": "ada", "plan": "trial"}], "row 1 of the user IDs has 2 columns"),
    "dicts of none": ([{}], "row 1 of the user IDs has 0 columns"),
    "dicts of several keys": ([{"user_id": "ada"}, {"plan": "trial"}], "row 2 of the user IDs has another column"),
    "a row and a plain value": ([("ada",), "eve"], "row 2 of the user IDs is of another kind"),
    "a row and a missing one": ([("ada",), None], "row 2 of the user IDs is of another kind"),
    "a dict and a tuple": ([{"user_id": "ada"}, ("eve",)], "row 2 of the user IDs is of another kind"),
    "a tuple and a dict": ([("ada",), {"user_id": "eve"}], "row 2 of the user IDs is of another kind"),
    "rows of SQLite with two columns": (
        sqlite_rows("SELECT 'ada' AS a, 'eve' AS b"),
        "row 1 of the user IDs has 2 columns",
    ),
    "an array of two columns": (np.array([["ada", "eve"]]), "row 1 of the user IDs has 2 columns"),
    "a data frame of two columns": (pd.DataFrame({"user_id": ["ada"], "plan": ["x"]}), "in a table of 2 columns"),
    "a data frame without columns": (pd.DataFrame(), "a table of 0 columns"),
    "an Arrow table of two columns": (pa.table({"user_id": ["ada"], "ada": ["x"]}), "in a table of 2 columns"),
    "an index of two levels": (pd.MultiIndex.from_tuples([("ada", "eve")]), "row 1 of the user IDs has 2 columns"),
    "a data frame with an index": (
        pd.DataFrame({"plan": ["eve"]}, index=pd.Index(["ada"], name="user_id")),
        "in a table of 2 columns",
    ),
    "data frames": ([pd.DataFrame({"user_id": ["ada"]})], "in a list of data frames or tables"),
    "data frames of two": (iter([pd.DataFrame({"user_id": ["ada", "eve"]})]), "in a list of data frames or tables"),
    "an Arrow reader": (pa.table({"user_id": ["ada"]}).to_reader(), "in a list of data frames or tables"),
    "a row and a data frame": ([("ada",), pd.DataFrame({0: ["eve"]})], "row 2 of the user IDs is of another kind"),
    "categories of 32-bit floats": (pd.Series(np.array([1.0], "float32")).astype("category"), "float32, which is not"),
    "a series of 32-bit floats of another machine": (pd.Series(np.array([1.0], ">f4")), "float32, which is not exact"),
    "an array of 32-bit floats": (array.array("f", [1.0]), "float32, which is not exact"),
    "an Arrow dictionary of 32-bit floats": (pa.array([1.0], pa.float32()).dictionary_encode(), "type float, which"),
    "Arrow lists of 32-bit floats": (pa.array([[1.0]], pa.list_(pa.float32())), "type float, which is not exact"),
    "Arrow structures of 32-bit floats": (
        pa.array([{"ada": 1.0}], pa.struct([("ada", pa.float32())])),
        "type float, wh",
    ),
    "a series of 32-bit floats": (pd.Series([1.0], dtype="float32"), "float32, which is not exact"),
    "an Arrow array of 32-bit floats": (pa.array([1.0], pa.float32()), "float, which is not exact"),
    "a frame of 32-bit floats": (pd.DataFrame({"user_id": np.array([1.0], "float32")}), "float32, which is not"),
}


@pytest.mark.parametrize("name", READ)
def test_each_supported_shape_of_values_is_read(name):
    given, expected = READ[name]
    assert list(read_values(given)) == expected


@pytest.mark.parametrize("name", REJECTED)
def test_an_ambiguous_shape_of_values_is_rejected_without_users(name):
    given, problem = REJECTED[name]
    with pytest.raises(InvalidInput) as caught:
        list(read_values(given))
    message = str(caught.value)
    assert problem in message
    assert not any(user in message for user in ("ada", "eve", "kay"))


def test_the_error_for_a_table_of_several_columns_says_how_to_select_one():
    for given in (pd.DataFrame({"a": [1], "b": [2]}), [(1, 2)], [{"a": 1, "b": 2}]):
        with pytest.raises(InvalidInput, match=r'select it, for example with `.*(\["user_id"\]|\[0\])'):
            list(read_values(given))


def test_several_sources_are_read_one_after_the_other():
    assert list(concatenated([["a"], (each for each in "b"), Query(), [("c",)]])) == ["a", "b", "a", "b", "c"]
    with pytest.raises(InvalidInput, match="one text"):
        list(concatenated([["a"], "b"]))


def test_chunks_have_the_requested_length_and_their_reader_can_be_stopped():
    assert [len(chunk) for chunk in chunks(range(2 * CHUNK + 1))] == [CHUNK, CHUNK, 1]
    assert list(chunks([1, 2, 3], 2)) == [[1, 2], [3]]
    assert list(chunks([])) == []
    asked = []

    def check():
        asked.append(1)
        if len(asked) == 3:
            raise InterruptedError

    source = iter(range(10_000))
    with pytest.raises(InterruptedError):
        list(chunks(source, check=check))
    assert next(source) == 2_000


def test_a_large_table_is_converted_one_chunk_at_a_time(monkeypatch):
    table = pa.table({"user_id": [str(number) for number in range(2 * CHUNK + 5)]})
    sizes = []

    class Watched:
        column_names = ("user_id",)

        def column(self, place):
            return Column(table.column(place))

    class Column:
        def __init__(self, column):
            self.column = column

        def __len__(self):
            return len(self.column)

        def slice(self, start, length):
            return Column(self.column.slice(start, length))

        def to_pylist(self):
            sizes.append(len(self.column))
            return self.column.to_pylist()

    assert len(list(read_values(Watched()))) == 2 * CHUNK + 5
    assert sizes == [CHUNK, CHUNK, 5]
