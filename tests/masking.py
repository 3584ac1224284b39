"""Clear what a process keeps from one test to the next.

Airflow compiles all masked values into one expression again for each secret; thousands of them slow it down.
"""

from __future__ import annotations

import sys

# The first in Airflow 2, the others in Airflow 3.
MASKERS = (
    "airflow.utils.log.secrets_masker",
    "airflow._shared.secrets_masker.secrets_masker",
    "airflow.sdk._shared.secrets_masker.secrets_masker",
)


def forget_secrets() -> None:
    """Clear the values that this process masks."""
    for module in filter(None, map(sys.modules.get, MASKERS)):
        masker = module._secrets_masker()
        masker.patterns, masker.replacer = set(), None


def forget_tokens() -> None:
    """Clear the cached tokens of this process."""
    if module := sys.modules.get("airflow_segments_provider.http.auth"):
        module._forget_states()
