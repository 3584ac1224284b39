"""The web application: every vendor's endpoints and the control of them."""

from __future__ import annotations

from fastapi import Depends, FastAPI
from fastapi.requests import Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from airflow_segments_provider.testing.sandbox.control import control_router
from airflow_segments_provider.testing.sandbox.world import World

CONTROL = "/_sandbox"


def build_app(world: World) -> FastAPI:
    """Return the ASGI application of one sandbox."""
    app = FastAPI(
        title="Segments sandbox",
        docs_url=f"{CONTROL}/docs",
        openapi_url=f"{CONTROL}/openapi.json",
        redoc_url=None,
        # A vendor that answers 404 must not answer with a redirect.
        redirect_slashes=False,
    )

    async def settle() -> None:
        world.late.carry_out_due(world.clock.now())

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=422)

    app.add_exception_handler(ValidationError, invalid)
    app.include_router(control_router(world), prefix=CONTROL, dependencies=[Depends(settle)])
    for name, vendor in world.vendors.items():
        app.include_router(vendor.control(), prefix=f"{CONTROL}/{name}", dependencies=[Depends(settle)])
        app.include_router(vendor.api(world.gateway))
    return app
