"""One HTTP client for every vendor: session, token, retry, rate, responses; without vendors and Airflow."""

from __future__ import annotations

from airflow_segments_provider.http.auth import ClientCredentials, FixedAuthorization, JwtBearer, PasswordGrant
from airflow_segments_provider.http.client import HttpClient, UserId
from airflow_segments_provider.http.response import Response
from airflow_segments_provider.http.retry import RetryPolicy

__all__ = [
    "ClientCredentials",
    "FixedAuthorization",
    "HttpClient",
    "JwtBearer",
    "PasswordGrant",
    "Response",
    "RetryPolicy",
    "UserId",
]
