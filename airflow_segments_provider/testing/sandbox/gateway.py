"""What every vendor call passes through: the log, the faults, the transaction."""

from __future__ import annotations

import uuid

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from airflow_segments_provider.testing.sandbox import wire
from airflow_segments_provider.testing.sandbox.calls import CallLog
from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.faults import KINDS, FaultRule, Faults
from airflow_segments_provider.testing.sandbox.late import LateWork
from airflow_segments_provider.testing.sandbox.messages import Call, Endpoint, Refused, Reply, json_reply


class Gateway:
    """Logs each call, lets it fail if a rule says so, and else has it carried out in one transaction.

    Works are carried out one after another, in the server's event loop: a vendor needs no locks.
    """

    def __init__(self, database: Database, clock: Clock, calls: CallLog, faults: Faults, late: LateWork) -> None:
        self._database, self._clock, self._calls, self._faults, self._late = database, clock, calls, faults, late
        self._in_flight = 0

    async def serve(self, endpoint: Endpoint, request: Request) -> Response:
        """Answer one request."""
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)
        self._late.carry_out_due(self._clock.now())
        call = self._open(endpoint, request, body)
        rule = self._faults.take(endpoint.name, call.record.action)
        reply = self._carry_out(endpoint, call) if rule is None else self._go_wrong(endpoint, call, rule)
        return self._answer(call, reply, rule)

    def _open(self, endpoint: Endpoint, request: Request, body: bytes) -> Call:
        now, headers = self._clock.now(), dict(request.headers)
        record = self._calls.open(
            endpoint.name, request.method, request.url.path, now, headers, request_id=uuid.uuid4().hex
        )
        query = dict(request.query_params)
        call = Call(request.method, request.url.path, request.path_params, headers, body, now, record, query)
        if endpoint.describe is not None:
            endpoint.describe(call)
        return call

    def _carry_out(self, endpoint: Endpoint, call: Call) -> Reply:
        try:
            with self._database.transaction():
                reply = endpoint.handle(call)
        except Refused as refusal:
            reply = refusal.reply
        call.record.effect = reply.status < 400
        call.record.status = reply.status
        return reply

    def _go_wrong(self, endpoint: Endpoint, call: Call, rule: FaultRule) -> Reply:
        kind = KINDS[rule.kind]
        call.record.fault = rule.kind
        call.record.lost = kind.loses
        reply = json_reply(200, {"error": "fault", "message": "the sandbox was told to break off"})
        if rule.carries_out:
            reply = self._carry_out(endpoint, call)
        if rule.kind == "late":
            due = call.received_at + (1.0 if rule.seconds is None else rule.seconds)
            self._late.add(due, lambda: self._carry_out(endpoint, call))
        changed = kind.change(reply, rule)
        if not kind.loses:
            call.record.status = changed.status
        return changed

    def _answer(self, call: Call, reply: Reply, rule: FaultRule | None) -> Response:
        headers = {"x-request-id": call.record.request_id, **reply.headers}
        response = Response(reply.content, reply.status, headers)
        if reply.content_type is not None:
            # Set by hand: the framework would add a charset of its own to text types.
            response.headers["content-type"] = reply.content_type
        self._in_flight += 1
        call.record.in_flight = self._in_flight

        def after(gone: bool) -> None:
            self._in_flight -= 1
            call.record.lost = call.record.lost or gone

        play = wire.answer if rule is None else KINDS[rule.kind].play
        return wire.PlayedResponse(response, play, None if rule is None else rule.seconds, after)
