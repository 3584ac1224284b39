"""What is said when the sandbox's optional dependencies are not installed."""

from __future__ import annotations

from importlib.util import find_spec


class ExtraMissing(ImportError):
    """FastAPI or uvicorn is missing; the text names the extra that brings them."""


def require_extra() -> None:
    """Raise :class:`ExtraMissing` unless FastAPI and uvicorn can be imported."""
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise ExtraMissing(
            f"The sandbox needs {' and '.join(missing)}: pip install 'airflow-provider-segments[sandbox]'"
        )
