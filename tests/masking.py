"""Forget what a process keeps from one test to the next.

Airflow makes one expression of all that it masks, anew for each secret; thousands slow it down.
"""

from __future__ import annotations

import sys

# In Airflow 2, and twice in 3.
MASKERS = (
    "airflow.utils.log.secrets_masker",
    "airflow._shared.secrets_masker.secrets_masker",
    "airflow.sdk._shared.secrets_masker.secrets_masker",
)


def forget_secrets() -> None:
    """Let this process mask nothing that it has seen so far."""
    for module in filter(None, map(sys.modules.get, MASKERS)):
        masker = module._secrets_masker()
        masker.patterns, masker.replacer = set(), None


def forget_tokens() -> None:
    """Let this process fetch every token anew."""
    if module := sys.modules.get("airflow_segments_provider.http.auth"):
        module._forget_states()
