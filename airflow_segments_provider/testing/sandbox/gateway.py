"""What every vendor call passes through: the log, the faults, the transaction, and the error mapping."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from airflow_segments_provider.testing.sandbox import wire
from airflow_segments_provider.testing.sandbox.calls import CallLog
from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.faults import KINDS, FaultRule, Faults
from airflow_segments_provider.testing.sandbox.messages import BadBody, Call, Endpoint, Refused, Reply, json_reply


class LateWork:
    """Work of calls whose connection has closed; carried out before the next request after its time, in memory."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, Callable[[], object]]] = []

    def add(self, due: float, work: Callable[[], object]) -> None:
        """Have work carried out at a time, by the sandbox's clock."""
        self._waiting.append((due, work))

    def carry_out_due(self, now: float) -> None:
        """Carry out all work that is due, in the order of its times."""
        due = [item for item in self._waiting if item[0] <= now]
        self._waiting = [item for item in self._waiting if item[0] > now]
        for _, work in sorted(due, key=lambda item: item[0]):
            work()

    def clear(self) -> None:
        """Forget what is waiting."""
        self._waiting.clear()


class Gateway:
    """Logs each call, applies a fault if a rule says so, and otherwise carries it out in one transaction.

    Calls are carried out one after another, in the server's event loop: a vendor needs no locks. ``in_flight`` counts
    the calls that are being answered, by endpoint.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self.calls, self.faults, self.late = CallLog(), Faults(), LateWork()
        self.in_flight: Counter[str] = Counter()
        # The names of all operations, for which there may be faults.
        self.endpoints = set[str]()

    def settle(self) -> None:
        """Carry out late work that is due."""
        self.late.carry_out_due(self._clock.now())

    async def serve(self, endpoint: Endpoint, request: Request) -> Response:
        """Answer one request."""
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)
        self.settle()
        call = self._open(endpoint, request, body)
        rule = self.faults.take(endpoint.name, call.record.action)
        reply = self._carry_out(endpoint, call) if rule is None else self._go_wrong(endpoint, call, rule)
        return self._answer(call, reply, rule)

    def _open(self, endpoint: Endpoint, request: Request, body: bytes) -> Call:
        now, headers, path = self._clock.now(), dict(request.headers), request.url.path
        record = self.calls.open(endpoint.name, request.method, path, now, headers, request_id=uuid.uuid4().hex)
        query = dict(request.query_params)
        call = Call(request.method, path, request.path_params, headers, body, now, record, query)
        endpoint.describe(call)
        return call

    def _carry_out(self, endpoint: Endpoint, call: Call) -> Reply:
        try:
            with self._database.transaction():
                reply = endpoint.handle(call)
        except Refused as refusal:
            reply = refusal.reply
        except (BadBody, ValidationError) as error:
            reply = endpoint.refuse(error)
        call.record.effect = reply.status < 400
        call.record.status = reply.status
        return reply

    def _go_wrong(self, endpoint: Endpoint, call: Call, rule: FaultRule) -> Reply:
        kind = KINDS[rule.kind]
        call.record.fault = rule.kind
        call.record.lost = kind.loses
        reply = json_reply(200, {"error": "fault", "message": "a fault rule breaks the connection"})
        if rule.carries_out:
            reply = self._carry_out(endpoint, call)
        if rule.kind == "late":
            due = call.received_at + (1.0 if rule.seconds is None else rule.seconds)
            self.late.add(due, lambda: self._carry_out(endpoint, call))
        changed = kind.change(reply, rule)
        if not kind.loses:
            call.record.status = changed.status
        return changed

    def _answer(self, call: Call, reply: Reply, rule: FaultRule | None) -> Response:
        record = call.record
        response = Response(reply.content, reply.status, {"x-request-id": record.request_id, **reply.headers})
        if reply.content_type is not None:
            # Set by hand: the framework would add a charset of its own to text types.
            response.headers["content-type"] = reply.content_type
        self.in_flight[record.endpoint] += 1
        record.in_flight = self.in_flight.total()

        def after(gone: bool) -> None:
            self.in_flight[record.endpoint] -= 1
            record.lost = record.lost or gone

        play = wire.Wire.send if rule is None else KINDS[rule.kind].play
        return wire.PlayedResponse(response, play, None if rule is None else rule.seconds, after)
