"""Long operations report their progress at intervals, short ones do not."""

from __future__ import annotations

import logging

import pytest

from airflow_segments_provider.progress import EVERY, ProgressLog


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO)
    return caplog


def test_progress_shows_the_number_the_total_the_rate_and_the_remaining_time(clock, lines):
    progress = ProgressLog(logging.getLogger("x"), "users looked up", 1_000, clock=clock)
    for _ in range(2):
        clock.now += EVERY
        progress.add(100)
    assert lines.messages == [
        "100 of 1,000 users looked up, 10 a second, about 0:01:30 left.",
        "200 of 1,000 users looked up, 10 a second, about 0:01:20 left.",
    ]


def test_progress_without_a_total_shows_the_number_and_the_rate(clock, lines):
    progress = ProgressLog(logging.getLogger("x"), "pages read", clock=clock)
    clock.now += 20
    progress.show(5)
    assert lines.messages == ["5 pages read, 15.0 a minute."]


def test_a_short_operation_shows_no_progress(clock, lines):
    progress = ProgressLog(logging.getLogger("x"), "users changed", 100, clock=clock)
    for _ in range(100):
        clock.now += EVERY / 200
        progress.add()
    assert lines.messages == []


def test_the_end_of_an_operation_that_showed_progress_is_shown(clock, lines):
    progress = ProgressLog(logging.getLogger("x"), "users changed", 2, clock=clock)
    clock.now += EVERY
    assert list(progress.count(["a", "b"])) == ["a", "b"]
    assert lines.messages == [
        "1 of 2 users changed, 6.0 a minute, about 0:00:10 left.",
        "2 of 2 users changed, 12.0 a minute, about 0:00:00 left.",
    ]


def test_progress_before_the_first_step_has_an_unknown_remaining_time(clock, lines):
    progress = ProgressLog(logging.getLogger("x"), "users changed", 2, clock=clock)
    clock.now += EVERY
    progress.show(0)
    assert lines.messages == ["0 of 2 users changed, 0.0 a minute, about an unknown time left."]
