"""The web application: every vendor's endpoints, and one endpoint that controls them.

``POST /_sandbox/<operation>`` and ``POST /_sandbox/<vendor>/<operation>`` take the arguments of an operation as a JSON
object and return its result. The operations are the methods marked as control of :class:`World` and of each vendor.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from fastapi import FastAPI
from fastapi.requests import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import Field, ValidationError, validate_call
from pydantic_core import from_json, to_json

from airflow_segments_provider.testing.sandbox.alteryx.api import AlteryxApi
from airflow_segments_provider.testing.sandbox.alteryx.state import Alteryx
from airflow_segments_provider.testing.sandbox.api import Api
from airflow_segments_provider.testing.sandbox.api_page import api_page
from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.control import ControlRefused, control, operations
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.docebo.api import DoceboApi
from airflow_segments_provider.testing.sandbox.docebo.state import Docebo
from airflow_segments_provider.testing.sandbox.faults import FaultRule
from airflow_segments_provider.testing.sandbox.gateway import Gateway
from airflow_segments_provider.testing.sandbox.vendor import Vendor
from airflow_segments_provider.testing.sandbox.walkme.api import WalkMeApi
from airflow_segments_provider.testing.sandbox.walkme.state import WalkMe
from airflow_segments_provider.testing.sandbox.zendesk.api import ZendeskApi
from airflow_segments_provider.testing.sandbox.zendesk.state import Zendesk

CONTROL = "/_sandbox"
_KINDS: dict[str, tuple[type[Vendor[Any]], type[Api[Any]]]] = {
    "alteryx": (Alteryx, AlteryxApi),
    "docebo": (Docebo, DoceboApi),
    "walkme": (WalkMe, WalkMeApi),
    "zendesk": (Zendesk, ZendeskApi),
}


class World:
    """The state of one sandbox: the clock, the faults, the log of calls, and the vendors.

    :param database: a SQLite file, or ":memory:"; segments, members, tokens and clock outlive a restart on one file
    :param settings: by vendor, settings that differ from the defaults; a reset returns to them
    """

    def __init__(self, database: str = ":memory:", settings: Mapping[str, Mapping[str, object]] | None = None) -> None:
        settings = settings or {}
        if unknown := set(settings) - set(_KINDS):
            raise ValueError(f"unknown vendor {', '.join(sorted(unknown))}; known: {', '.join(_KINDS)}")
        self.database = Database(database)
        self.clock = Clock(self.database)
        self.gateway = Gateway(self.database, self.clock)
        self.vendors: dict[str, Vendor[Any]] = {
            name: kind(self.database, self.clock, settings.get(name, {})) for name, (kind, _) in _KINDS.items()
        }

    def settle(self) -> None:
        """Carry out late work that is due."""
        self.gateway.settle()

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    @control
    def now(self) -> float:
        """Return the sandbox's time, in seconds since the epoch."""
        return self.clock.now()

    @control
    def advance(self, seconds: float = Field(ge=0)) -> float:
        """Let time pass at once, and return the new time."""
        self.clock.advance(seconds)
        self.settle()
        return self.clock.now()

    @control
    def fault(self, **rule: Any) -> None:
        """Add a rule by which calls fail, with the fields of :class:`.faults.FaultRule`; its endpoint must exist."""
        made, known = FaultRule.model_validate(rule), self.gateway.endpoints
        if made.endpoint not in ("*", *known):
            vendor = made.endpoint.partition(".")[0]
            of_vendor = [name for name in known if name.partition(".")[0] == vendor]
            raise ControlRefused(
                404, f"no endpoint {made.endpoint!r}; known: *, {', '.join(sorted(of_vendor or known))}"
            )
        self.gateway.faults.add(made)

    @control
    def faults(self) -> list[FaultRule]:
        """Return the rules that may still apply."""
        return self.gateway.faults.rules()

    @control
    def clear_faults(self) -> None:
        """Remove all rules."""
        self.gateway.faults.clear()

    @control
    def calls(self, endpoint: str | None = None) -> list[dict[str, Any]]:
        """Return the vendor calls in the order of their arrival, of one endpoint or all."""
        return self.gateway.calls.entries(endpoint)

    @control
    def counts(self) -> dict[str, int]:
        """Return the number of vendor calls by endpoint."""
        return self.gateway.calls.counts()

    @control
    def reset(self, **settings: dict[str, Any]) -> None:
        """Return to the state of the start, with other settings by vendor."""
        if unknown := set(settings) - set(self.vendors):
            raise ControlRefused(404, f"no vendor {', '.join(sorted(unknown))}; known: {', '.join(self.vendors)}")
        changed = {name: vendor.settings_of_start(settings.get(name, {})) for name, vendor in self.vendors.items()}
        self.gateway.faults.clear()
        self.gateway.late.clear()
        self.gateway.calls.clear()
        self.clock.reset()
        for name, vendor in self.vendors.items():
            vendor.reset(changed[name])


def build_app(world: World) -> FastAPI:
    """Return the ASGI application of one sandbox."""
    app = FastAPI(
        title="Segments sandbox",
        # FastAPI's own page loads its scripts from the internet.
        docs_url=None,
        openapi_url=f"{CONTROL}/openapi.json",
        redoc_url=None,
        # A vendor that answers 404 must not answer with a redirect.
        redirect_slashes=False,
    )
    app.add_route(f"{CONTROL}/docs", lambda request: HTMLResponse(api_page(app.openapi())), include_in_schema=False)
    _add_control(app, world, world, CONTROL)
    for name, vendor in world.vendors.items():
        _add_control(app, world, vendor, f"{CONTROL}/{name}")
        app.include_router(_KINDS[name][1](vendor, world.gateway).router())
    return app


def _add_control(app: FastAPI, world: World, owner: World | Vendor[Any], prefix: str) -> None:
    for name, operation in operations(owner).items():
        text = inspect.getdoc(operation)
        summary = f"{name}{inspect.signature(operation)}"
        serve = _serving(world, owner, operation)
        app.add_api_route(f"{prefix}/{name}", serve, methods=["POST"], tags=[prefix], summary=summary, description=text)


def _serving(world: World, owner: World | Vendor[Any], operation: Callable[..., Any]) -> Callable[[Request], Any]:
    validated = validate_call(operation)

    async def serve(request: Request) -> Response:
        try:
            arguments = from_json(await request.body() or b"{}")
            world.settle()
            owner.settle()
            # What is common to all vendors has transactions of its own, such as those of late work.
            with nullcontext() if owner is world else world.database.transaction():
                result = to_json(validated(**arguments))
        except ControlRefused as refused:
            return JSONResponse({"detail": str(refused)}, refused.status)
        except (ValidationError, ValueError, TypeError) as error:
            return JSONResponse({"detail": str(error)}, 422)
        return Response(result, media_type="application/json")

    return serve
