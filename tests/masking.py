"""What Airflow has been told to mask: it makes one expression of all of it, anew for each; thousands slow it down."""

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
