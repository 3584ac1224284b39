"""The log of calls that the sandbox's vendors have received."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

# A sandbox that runs for weeks must not grow without limit; the counts stay exact.
KEPT_CALLS = 100_000


@dataclass
class CallRecord:
    """One call as the vendor saw it; holds counts of user IDs, never the IDs.

    ``status`` is that of the reply, also of a lost one; None when the call was neither carried out nor answered.
    ``effect`` is whether the call was carried out, ``lost`` whether the client received no whole reply. ``fault`` is
    the kind of the rule that was applied. ``in_flight`` counts the calls being answered at the time, including this
    one. ``at`` is by the sandbox's clock. Header names are in lower case; ``authorization`` holds the scheme only.
    """

    number: int
    endpoint: str
    method: str
    path: str
    at: float
    headers: dict[str, str] = field(default_factory=dict)
    action: str | None = None
    user_ids: int | None = None
    status: int | None = None
    effect: bool = False
    lost: bool = False
    fault: str | None = None
    in_flight: int = 1
    request_id: str = ""


class CallLog:
    """The calls in the order of their arrival, and their counts by endpoint."""

    def __init__(self) -> None:
        self._calls: deque[CallRecord] = deque(maxlen=KEPT_CALLS)
        self._counts: Counter[str] = Counter()
        self._number = 0

    def open(
        self, endpoint: str, method: str, path: str, at: float, headers: Mapping[str, str], request_id: str
    ) -> CallRecord:
        """Add a call; its outcome is filled in later."""
        self._number += 1
        record = CallRecord(
            self._number, endpoint, method, path, at, headers=_without_secrets(headers), request_id=request_id
        )
        self._calls.append(record)
        self._counts[endpoint] += 1
        return record

    def entries(self, endpoint: str | None = None) -> list[dict[str, object]]:
        """Return the calls as JSON objects, those of one endpoint or all."""
        return [asdict(call) for call in self._calls if endpoint in (None, call.endpoint)]

    def counts(self) -> dict[str, int]:
        """Return the number of calls by endpoint; an endpoint that was never called is absent."""
        return dict(self._counts)

    def clear(self) -> None:
        """Forget all calls; numbers continue."""
        self._calls.clear()
        self._counts.clear()


def _without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    kept = dict(headers)
    if "authorization" in kept:
        kept["authorization"] = kept["authorization"].split(" ", 1)[0]
    return kept
