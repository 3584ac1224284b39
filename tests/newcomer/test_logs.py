"""The definition of an error line; the logs of a whole day are tested in ``test_first_day.py``."""

from __future__ import annotations

import pytest

from tests.newcomer.deployment import error_lines


@pytest.mark.parametrize(
    "line",
    [
        "scheduler  | 2026-11-28T16:03:04.454330Z [error    ] Asset not found   [airflow.sdk.api.client] detail={}",
        "scheduler  | 2026-11-28T16:03:04.454330Z [error    ] XCom not found    [airflow.sdk.api.client] detail={}",
        '{"timestamp":"2026-11-28T16:04:02Z","event":"XCom not found","level":"error","logger":"task"}',
        "triggerer  | Traceback (most recent call last):",
        "[2026-11-28 16:04:02] ERROR - Task failed with exception",
    ],
)
def test_an_error_line_is_found(line: str) -> None:
    assert len(list(error_lines(f"scheduler  | fine\n{line}\nfine"))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "api-server | 2026-11-28T16:02:36Z [info     ] Started server process [1] [uvicorn.error] loc=server.py:103",
        "dag-processor | Bundle       File Path         PID  Current Duration      # DAGs    # Errors  Last Duration",
        "scheduler  | 2026-11-28 16:04:02.937679+00:00 [error    ] The plan was refused, nothing was sent.",
        "scheduler  | [error    ] Task failed with exception [task] error_detail=[{'exc_type': 'PlanRefused', 'exc_v",
    ],
)
def test_a_line_that_is_not_an_error_is_not_found(line: str) -> None:
    assert list(error_lines(line)) == []
