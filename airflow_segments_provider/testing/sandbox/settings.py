"""What every vendor's settings have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict


class VendorSettings(BaseModel):
    """How one vendor behaves; never changed in place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def changed(self, changes: Mapping[str, object]) -> Self:
        """Return a validated copy with some fields changed; an unknown field is an error."""
        return self.model_validate({**self.model_dump(), **changes})
