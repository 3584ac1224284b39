"""What a page of WalkMe's list says of the other pages, in the forms that are common: WalkMe documents none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from requests.utils import parse_header_links

from airflow_segments_provider.errors import UnexpectedReply
from airflow_segments_provider.http.transport import origin_of
from airflow_segments_provider.models.walkme_responses import Field, fields, guid_in, plain, whole_number

_NEXT = re.compile(r"(odata)?next(link|url|uri|href|page|pageurl|pagelink|pageuri)?")
_TOKEN = re.compile(r"next(page)?(cursor|token|offset|skip|start|startindex)|continuationtoken|cursor")
_MORE = re.compile(
    r"(has|is)?(more|next)(available|pages?|results|items|data)?|(is)?truncated|(is)?partial|(is)?incomplete(results)?"
)
_LAST = re.compile(r"(is)?last(page)?|(is)?(complete|done)")
_PAGES = re.compile(r"(total|num|numberof)?pages?(total|count)|(total|num|numberof)?pages|(total|last)page|last")
_TOTAL = re.compile(
    r"(odata)?count|total(count|results?|items?|elements?|records?|segments?|size|rows|entries|number|hits)?"
    r"|(segments?|records?|results?|items?|elements?|entries|rows)(count|total)"
)
_NUMBER = re.compile(r"page(number|no|index)?|currentpage|current")
_OFFSET = re.compile(r"offset|skip|start|startindex|startat")
_SIZE = re.compile(r"limit|pagesize|pagelimit|perpage|itemsperpage|maxresults|top|take")
# Keys that may announce more in a form that is not known; and keys that only look like those.
_SUSPECT = re.compile(r"next|more|cursor|continuation|total|remaining|truncat|pagetoken|scroll")
_BEHIND = re.compile(r"(prev|first|self|last|current|start|before|hasprev|hasfirst).*")
_IN_HEADERS = re.compile(r"x-|(total|page|next|pagination)-")
_HEADER_PREFIX = re.compile(r"^x-(?!.*(rate|time)).*?(?=total|next)|^(x-)?(pagination-)?")
_RANGE = re.compile(r"\s*\w+ .*/(\d{1,9})\s*")
_URL = re.compile(r"(https?:)?//|/|[\w./-]*\?[\w.-]+=", re.IGNORECASE)
_ADDRESSES = ("href", "url", "link", "uri")
_PARAMETERS = frozenset(
    {"cursor", "after", "token", "pagetoken", "page", "pagenumber", "offset", "skip", "startindex"}
) | {
    "limit",
    "size",
    "pagesize",
    "perpage",
}

Query = tuple[tuple[str, str], ...]


@dataclass
class Paging:
    """What a page says of the others; several values of one kind may contradict one another.

    :param url: of the list, without a query.
    :ivar queries: of the next page, given by an address or an object.
    :ivar tokens: of the next page, with the parameter that takes it.
    :ivar more: whether there are further pages.
    :ivar numbers: of this page; ``offsets``: of its first segment; with the parameter that asks for it.
    :ivar ends: it has a place for a next page, and none is there.
    :ivar unclear: the key of what may announce more, in an unknown form.
    """

    url: str
    queries: set[Query] = field(default_factory=set)
    tokens: set[tuple[str, str]] = field(default_factory=set)
    more: set[bool] = field(default_factory=set)
    totals: set[int] = field(default_factory=set)
    pages: set[int] = field(default_factory=set)
    numbers: set[tuple[str, int]] = field(default_factory=set)
    offsets: set[tuple[str, int]] = field(default_factory=set)
    sizes: set[int] = field(default_factory=set)
    ends: bool = False
    unclear: str = ""

    def read(self, answer: Any, entries: list[Any], status: int, headers: Mapping[str, str]) -> Paging:
        """Read a page; of its segments, nothing.

        :raises UnexpectedReply: the next page is elsewhere.
        """
        for found in fields(answer, but=entries):
            self._take(found)
        for found in _header_fields(headers):
            self._take(found)
        for link in parse_header_links(headers.get("Link", "")):
            self._take_link(link)
        if total := _RANGE.fullmatch(headers.get("Content-Range", "")):
            self.totals.add(int(total[1]))
        elif status == 206:
            self.more.add(True)
        return self

    def _take(self, found: Field) -> None:
        name, value = found.plain, found.value
        if _NEXT.fullmatch(found.parent) or _BEHIND.fullmatch(found.parent):
            return  # read with the parent, or of no interest
        if isinstance(value, list):
            for link in value if name in ("link", "links") else ():
                self._take_link(link)
            if value and _is_suspect(name):
                self.unclear = found.key
        elif _NEXT.fullmatch(name):
            self._take_next(found)
        elif isinstance(value, Mapping):
            pass  # its fields come by themselves
        elif _TOKEN.fullmatch(name):
            self._take_token(found)
        elif isinstance(value, bool) and _LAST.fullmatch(name):
            self.more.add(not value)
        elif _MORE.fullmatch(name):
            self.more.add(_truth(value))
        elif not self._take_number(found) and _is_suspect(name) and _truth(value):
            self.unclear = found.key

    def _take_number(self, found: Field) -> bool:
        """Take a number; return whether it has a place here."""
        name, number = found.plain, whole_number(found.value)
        if number is None:
            return False
        if _PAGES.fullmatch(name) or (name == "total" and found.parent in ("page", "pages")):
            self.pages.add(number)
        elif _TOTAL.fullmatch(name):
            self.totals.add(number)
        elif _NUMBER.fullmatch(name) or (name == "number" and found.parent == "page"):
            self.numbers.add((found.key if name.startswith("page") or name == "current" else "page", number))
        elif _OFFSET.fullmatch(name):
            self.offsets.add((found.key, number))
        elif _SIZE.fullmatch(name):
            self.sizes.add(number)
        else:
            return False
        return True

    def _take_next(self, found: Field) -> None:
        value = found.value
        if isinstance(value, Mapping):
            self._take_object(found)
        elif not _truth(value):
            self.ends = True
        elif isinstance(value, str) and _URL.match(value):
            self.queries.add(self._query_of(value))
        elif value is True or found.plain == "next":
            # The number of the next page, or true; a bare token has no parameter.
            known = value is True or whole_number(value) is not None
            self.more.add(True)
            self.unclear = self.unclear if known else found.key
        elif whole_number(value) is not None:
            self._take_token(found)
        else:
            self.unclear = found.key

    def _take_object(self, found: Field) -> None:
        """Take the object that describes the next page: its address, or its parameters."""
        if address := next((value for key, value in found.value.items() if plain(key) in _ADDRESSES and value), None):
            self.queries.add(self._query_of(str(address)))
        elif not any(_truth(value) for value in found.value.values()):
            self.ends = True
        elif all(plain(key) in _PARAMETERS and _is_scalar(value) for key, value in found.value.items()):
            self.queries.add(tuple((key, str(value)) for key, value in found.value.items()))
        else:
            self.unclear = found.key

    def _take_token(self, found: Field) -> None:
        if not _truth(found.value):
            self.ends = True
            return
        parameter = found.key
        if found.plain != "nexttoken":  # `nextPageToken` is sent as `pageToken`, but `nextToken` as it is
            parameter = re.sub(r"^next[_-]?", "", parameter, flags=re.IGNORECASE)
        if found.key[:1].islower():
            parameter = parameter[:1].lower() + parameter[1:]
        self.tokens.add((parameter, str(found.value)))

    def _take_link(self, link: Any) -> None:
        """Take a link that states its relation, as the header ``Link`` has them."""
        if not isinstance(link, Mapping):
            return
        relation = str(link.get("rel", link.get("relation", ""))).lower().split()
        address = next((link[key] for key in _ADDRESSES if link.get(key)), None)
        if "next" in relation and address:
            self.queries.add(self._query_of(str(address)))

    def _query_of(self, address: str) -> Query:
        """Return the query of the next page, if it is a page of the same list on the same server.

        :raises UnexpectedReply: it is not.
        """
        with suppress(ValueError):
            there, here = urljoin(self.url, address), self.url
            query = parse_qsl(urlsplit(there).query, keep_blank_values=True, max_num_fields=20)
            unique = len(dict(query)) == len(query)
            if unique and origin_of(there) == origin_of(here) and _steps(there) == _steps(here):
                return tuple(query)
        raise UnexpectedReply("the address of its next page is not one of this list on this server")


def _header_fields(headers: Mapping[str, str]) -> Iterator[Field]:
    """Yield the headers about pages as fields."""
    for name, value in headers.items():
        if not _IN_HEADERS.match(name.lower()):
            continue
        key = _HEADER_PREFIX.sub("", name.lower())
        if key in ("pagination", "paging", "page-info"):
            with suppress(ValueError, RecursionError):
                yield from fields(json.loads(value))
        elif any(kind.fullmatch(plain(key)) for kind in (_NEXT, _TOKEN, _MORE, _PAGES, _TOTAL, _NUMBER)):
            yield Field(plain(key), key, "", value)


def _steps(url: str) -> list[str]:
    """Return the parts of a URL's path; a GUID may be spelled in several ways."""
    return [guid_in(part) or part for part in map(unquote, urlsplit(url).path.rstrip("/").split("/"))]


def _truth(value: Any) -> bool:
    return (
        value.strip().lower() not in ("", "0", "false", "no", "null", "none") if isinstance(value, str) else bool(value)
    )


def _is_suspect(name: str) -> bool:
    return _SUSPECT.search(name) is not None and not _BEHIND.fullmatch(name)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str) or type(value) is int
