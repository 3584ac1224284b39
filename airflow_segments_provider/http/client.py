"""The client that every hook uses: adds the token, paces, retries, and reads the response."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import IO, Any, TypeVar
from urllib.parse import quote, urlsplit

from pydantic_core import to_json

from airflow_segments_provider.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidInput,
    RateLimited,
    RejectedRequest,
    Stopped,
    UnexpectedReply,
    VendorError,
    VendorUnavailable,
)
from airflow_segments_provider.http.auth import AccessToken, Credentials, parse_token, state_of
from airflow_segments_provider.http.response import Call, Response, error_of, parse_body
from airflow_segments_provider.http.retry import RETRIED_STATUSES, RetryPolicy
from airflow_segments_provider.http.transport import READS, Answer, Transport, TransportSettings, check_base_url

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

NO_RATE_BUCKETS: Mapping[str, float | None] = {}

# Seconds between two checks for a stop during a wait.
LONGEST_NAP = 0.5
# Seconds of a sleep that is logged, and between two lines about it.
LONG_SLEEP, SHOWN_EVERY = 10.0, 60.0


class UserId(str):
    """A part of a path that is a user ID; messages show it as ``{user}``."""

    __slots__ = ()


class HttpClient:
    """Calls one vendor at one base URL with one set of credentials.

    All clients of the same credentials in a process share token, retry quota and rate. The session is not shared, and
    must not be used in a forked process.

    :param vendor: as messages name it.
    :param base_url: with any sub-path; https, or http on loopback.
    :param rate_limit: requests a minute, None for no limit.
    :param read_only: refuse each request that is not a read, before a token is fetched for it.
    :param named: the connection, as messages name it.
    :param on_token: called with each token of this client, so that logs can mask it.
    :param hold_after: called with the headers of each response; returns for how many seconds to send nothing.
    :ivar before_try: called right before each try of a request is sent, after any wait; not for token requests. What it
        raises prevents that try and every further one, and ends the call.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str,
        credentials: Credentials,
        *,
        transport: TransportSettings | None = None,
        retry: RetryPolicy | None = None,
        rate_limit: float | None = None,
        read_only: bool = False,
        named: str = "the connection",
        on_token: Callable[[str], None] = lambda token: None,
        hold_after: Callable[[Mapping[str, str]], float] = lambda headers: 0.0,
    ) -> None:
        self.vendor = vendor
        self.base_url = check_base_url(base_url)
        if credentials.token_url is not None:
            check_base_url(credentials.token_url)
        elif not (credentials.authorization.isascii() and credentials.authorization.isprintable()):
            raise ConfigurationError(f"the {credentials.named} holds a character that a header cannot hold")
        self.retry = retry or RetryPolicy()
        self.requests_sent = 0
        self.writes_sent = 0
        self.before_try: Callable[[], None] = lambda: None
        self._credentials = credentials
        self._rate_limit = rate_limit
        self._read_only = read_only
        self._named = named
        self._on_token = on_token
        self._hold_after = hold_after
        self._used_tokens: set[str] = set()
        self._count_lock = threading.Lock()
        self._stopped = False
        self._state = state_of(f"{self.base_url} {credentials.key}")
        self._transport_secrets = transport.secrets if transport else ()
        self._transport = Transport(transport or TransportSettings())

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def stop(self) -> None:
        """Let no further request begin and end every wait: each call then raises ``Stopped``.

        Only sets a flag, so that a signal handler may call it.
        """
        self._stopped = True

    def sleep(self, seconds: float) -> None:
        """Sleep, unless stopped; log how long a long sleep lasts."""
        end, shown_at = time.monotonic() + seconds, seconds
        while (left := end - time.monotonic()) > 0:
            self._check_stopped()
            if seconds >= LONG_SLEEP and left <= shown_at:
                logger.info("The next request to %s follows in %.0f s.", self.vendor, left)
                shown_at = left - SHOWN_EVERY
            time.sleep(min(left, LONGEST_NAP))

    @property
    def discovered(self) -> dict[str, str]:
        """What was found out about this vendor, kept as long as the process lives."""
        return self._state.discovered

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Let one thread of this process at a time do what ``name`` names, whichever hook of the connection it has.

        :raises Stopped: Airflow ended the task during the wait.
        """
        lock = self._state.lock(name)
        while not lock.acquire(timeout=LONGEST_NAP):
            self._check_stopped()
        try:
            yield
        finally:
            lock.release()

    def _check_stopped(self) -> None:
        if self._stopped:
            raise Stopped(
                f"Airflow ended this task while it was calling {self.vendor}. The request under way was finished and "
                "no further one was begun. Run the task again: what was sent already is sent once more and changes "
                "nothing."
            )

    def check_writable(self, write: str) -> None:
        """Check that this client may write.

        :meth:`request` checks each write by itself. Call this in advance where other work precedes the first write.

        :param write: the write, as the start of the sentence.
        :raises ConfigurationError: the connection is read-only.
        """
        if self._read_only:
            raise ConfigurationError(
                f"{write}: {self._named} is read-only, so the write was not sent to {self.vendor}. Use a connection "
                "that may write, or turn off `read_only` in this one."
            )

    def token(self, *, refused: str | None = None) -> AccessToken:
        """Return the access token in use, fetched or renewed where needed.

        :raises AuthenticationError: the credentials are refused; the token endpoint's 400 counts as that, too.
        """
        if self._credentials.token_url is None:
            token = AccessToken(self._credentials.authorization.partition(" ")[2], math.inf)
        else:
            token = self._state.token(self._fetch_token, refused=refused)
        if token.value not in self._used_tokens:
            self._used_tokens.add(token.value)
            self._on_token(token.value)
        return token

    def request(
        self,
        method: str,
        path: Sequence[str],
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        idempotent: bool = True,
        once: bool = False,
        may_be_empty: bool = False,
        may_be_text: bool = False,
        user_ids: Callable[[], Iterable[str]] = tuple,
        into: IO[bytes] | None = None,
        rate_buckets: Mapping[str, float | None] = NO_RATE_BUCKETS,
    ) -> Response:
        """Call the vendor and return its 2xx response.

        :param path: the parts of the path below the base URL; each is percent-encoded whole.
        :param body: JSON, already encoded.
        :param idempotent: False: send it again only where the vendor cannot have carried it out. The error of any other
            failure has ``maybe_done``; look before sending again.
        :param once: send it again after a 401 only; for a caller that has to read something before each try.
        :param may_be_empty: accept a 2xx response without a body.
        :param may_be_text: accept a 2xx body that is not JSON, as text that the caller checks.
        :param user_ids: returns the user IDs in the body, which an error's text must not show.
        :param into: a file for the body of a 2xx response, which is written whole; ``json`` is then None.
        :param rate_buckets: the buckets that the vendor counts this call against, with their requests a minute where
            known. Each has its own rate; a 429 delays the calls of these buckets, without any all calls.
        :raises ConfigurationError: the connection is read-only, and the method is not a read.
        :raises VendorError: the subclass that fits; its message says how often it was tried.
        """
        url, call = self._address(method, path, user_ids)
        if method not in READS:
            self.check_writable(str(call))
        refused: str | None = None

        def send() -> Response:
            nonlocal refused
            token = self.token(refused=refused)
            answer = self._send(call, url, token, body, query, into, rate_buckets)
            if answer.status == 401 and refused is None and self._credentials.token_url is not None:
                refused = token.value
                token = self.token(refused=refused)
                answer = self._send(call, url, token, body, query, into, rate_buckets)
            if not 200 <= answer.status < 300:
                raise error_of(call, answer.status, answer.headers, answer.body)
            if into is not None:
                return Response(answer.status, answer.headers, None, self.requests_sent, call)
            try:
                parsed = parse_body(call, answer.status, answer.headers, answer.body, may_be_empty=may_be_empty)
            except UnexpectedReply:
                if not (may_be_text and answer.body.strip()):
                    raise
                parsed = answer.body.decode("utf-8", "replace").strip()
            return Response(answer.status, answer.headers, parsed, self.requests_sent, call)

        response, in_doubt = self._send_with_retries(send, idempotent=idempotent, once=once, rate_buckets=rate_buckets)
        return replace(response, in_doubt=in_doubt)

    def _address(
        self, method: str, path: Sequence[str], user_ids: Callable[[], Iterable[str]] = tuple
    ) -> tuple[str, Call]:
        if any(part in ("", ".", "..") for part in path):
            raise InvalidInput(f"{self.vendor} {method}", ["an id for the path is empty or made of dots"])
        sent = "/".join(quote(part, safe="") for part in path)
        shown = "/".join("{user}" if isinstance(part, UserId) else quote(part, safe="") for part in path)
        call = Call(
            self.vendor,
            method,
            f"{urlsplit(self.base_url).path}/{shown}",
            self._secrets,
            lambda: [*user_ids(), *(part for part in path if isinstance(part, UserId))],
        )
        return f"{self.base_url}/{sent}", call

    def _send(
        self,
        call: Call,
        url: str,
        token: AccessToken,
        body: bytes | None,
        query: Mapping[str, str] | None,
        into: IO[bytes] | None,
        rate_buckets: Mapping[str, float | None],
    ) -> Answer:
        self._state.pace().wait(self._rate_limit, self.sleep)
        for bucket, per_minute in rate_buckets.items():
            self._state.pace(bucket).wait(per_minute, self.sleep)
        try:
            self.before_try()
        except VendorError as error:
            error.attempts = error.attempts or 1  # prevents another try
            raise
        with self._count_lock:
            self.requests_sent += 1
            self.writes_sent += call.method not in READS
        answer = self._transport.send(
            call,
            url,
            authorization=self._credentials.authorization or f"Bearer {token.value}",
            body=body,
            content_type="application/json" if body is not None else None,
            query=query,
            into=into,
        )
        if (seconds := self._hold_after(answer.headers)) > 0:
            self._hold(rate_buckets, seconds)
        return answer

    def _hold(self, rate_buckets: Mapping[str, float | None], seconds: float) -> None:
        for bucket in rate_buckets or ("",):
            self._state.pace(bucket).hold(seconds)

    def _secrets(self) -> Collection[str]:
        return {*self._credentials.secrets, *self._transport_secrets, *self._used_tokens}

    def _send_with_retries(
        self,
        send: Callable[[], Result],
        *,
        idempotent: bool,
        once: bool = False,
        rate_buckets: Mapping[str, float | None] = NO_RATE_BUCKETS,
    ) -> tuple[Result, bool]:
        """Call ``send`` as often as the policy, the quota and the kind of failure allow.

        :return: its result, and whether an earlier try may have been carried out, too.
        """
        began, attempt, cost, maybe_done = time.monotonic(), 0, 0, False
        while True:
            self._check_stopped()
            attempt += 1
            try:
                result = send()
            except VendorError as error:
                # The vendor may have carried out a first try whose response was lost, even if it refuses the repeat.
                error.in_doubt = error.in_doubt or maybe_done
                error.maybe_done = maybe_done = maybe_done or error.maybe_done
                wait = None if once else self._wait_after(error, attempt, began, idempotent=idempotent)
                timed_out = isinstance(error, VendorUnavailable) and error.status is None
                cost = self._state.quota.take(timed_out=timed_out) if wait is not None else 0
                if wait is None or not cost:
                    if attempt > 1 and not error.attempts:
                        error.add_hint(f"Tried {attempt} times over {time.monotonic() - began:.0f} s.")
                    error.attempts = error.attempts or attempt
                    raise
                logger.warning("%s Next try (%d of %d) in %.1f s.", error, attempt + 1, self.retry.max_attempts, wait)
                if isinstance(error, RateLimited):
                    self._hold(rate_buckets, wait)
                self.sleep(wait)
            else:
                self._state.quota.give_back(cost)
                return result, maybe_done

    def _wait_after(self, error: VendorError, attempt: int, began: float, *, idempotent: bool) -> float | None:
        """Seconds to wait before the next try, or None where there must be none."""
        # error.attempts: the request for the token was repeated already while this request waited for it.
        if error.attempts or not isinstance(error, (RateLimited, VendorUnavailable)):
            return None
        if error.status is not None and error.status not in RETRIED_STATUSES:
            return None
        asked = error.retry_after or 0.0
        if asked > self.retry.retry_after_cap:
            error.add_hint(
                f"That is more than this connection waits within a task ({self.retry.retry_after_cap:.0f} s); "
                "let Airflow retry the task after that time."
            )
            return None
        if error.maybe_done and not idempotent:
            return None
        wait = max(self.retry.delay(attempt), asked)
        late = time.monotonic() - began + wait > self.retry.max_total
        return None if attempt >= self.retry.max_attempts or late else wait

    def _fetch_token(self) -> AccessToken:
        url = self._credentials.token_url or ""
        path = urlsplit(url).path

        def send() -> AccessToken:
            request = self._credentials.token_request()
            call = Call(self.vendor, "POST", path, lambda: {*self._secrets(), request.secret})
            self._state.pace().wait(self._rate_limit, self.sleep)
            answer = self._transport.send(
                call, url, authorization=request.authorization, body=request.body, content_type=request.content_type
            )
            if not 200 <= answer.status < 300:
                raise error_of(call, answer.status, answer.headers, answer.body)
            parsed = parse_body(call, answer.status, answer.headers, answer.body, may_be_empty=False)
            return parse_token(Response(answer.status, answer.headers, parsed, 1, call), time.monotonic())

        try:
            return self._send_with_retries(send, idempotent=True)[0]
        except VendorError as error:
            # The request that waits for the token has not been sent.
            error.maybe_done = False
            if not isinstance(error, (AuthenticationError, RejectedRequest)) or error.status not in (400, 401):
                raise
            raise AuthenticationError(
                f"{self.vendor} refused the {self._credentials.named} of the connection. {error}",
                status=error.status,
                vendor=self.vendor,
                method="POST",
                path=path,
                request_id=error.request_id,
            ) from None


def encode(value: Any) -> bytes:
    """Encode a JSON request body.

    :raises InvalidInput: JSON cannot hold it.
    """
    with suppress(ValueError):
        return to_json(value)
    # Raised outside of the handler: the encoder's error quotes a value, and would be the context of this one.
    problem = "a value is not of a type that JSON has, or a text holds half of a character, as one cut within an emoji."
    raise InvalidInput("The body of a request", [problem])
