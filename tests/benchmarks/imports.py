"""The time that a DAG file needs to import this provider, compared with three official providers."""

from __future__ import annotations

from statistics import median

from airflow_segments_provider.provider_info import get_provider_info
from tests.benchmarks.one import measure
from tests.benchmarks.report import Figure, progress, spread

OURS = "segments"
GOAL_MS = 15
ALL = "segments, all vendors"
GOAL_ALL_MS = 25
ROUNDS = 9


def modules_of_ours() -> list[str]:
    """Return the modules that a DAG file may import: hooks, operators, sensors, sources and targets."""
    info = get_provider_info()
    parts = [part for kind in ("hooks", "operators", "sensors") for part in info[kind]]
    sources = ["airflow_segments_provider.sources.sql", "airflow_segments_provider.sources.files"]
    targets = [f"airflow_segments_provider.targets.{vendor}" for vendor in ("walkme", "docebo", "alteryx", "zendesk")]
    return [*(name for part in parts for name in part["python-modules"]), *sources, *targets]


PROVIDERS = {
    OURS: (
        "airflow_segments_provider.hooks.walkme",
        "airflow_segments_provider.operators.walkme",
        "airflow_segments_provider.sensors.walkme",
    ),
    ALL: tuple(modules_of_ours()),
    # The provider zendesk has no operators and sensors.
    "zendesk": ("airflow.providers.zendesk.hooks.zendesk",),
    "airbyte": (
        "airflow.providers.airbyte.hooks.airbyte",
        "airflow.providers.airbyte.operators.airbyte",
        "airflow.providers.airbyte.sensors.airbyte",
    ),
    "http": (
        "airflow.providers.http.hooks.http",
        "airflow.providers.http.operators.http",
        "airflow.providers.http.sensors.http",
    ),
}


def figures() -> list[Figure]:
    """Return our increment over ``airflow.sdk`` in ms, and its ratio to the lowest of the others."""
    progress(f"imports: {ROUNDS} rounds of a fresh process for each of {', '.join(PROVIDERS)}")
    for modules in PROVIDERS.values():
        measure("one_import", *modules)  # compiles modules that have no bytecode yet
    took: dict[str, list[float]] = {name: [] for name in PROVIDERS}
    processor: dict[str, list[float]] = {name: [] for name in PROVIDERS}
    loaded: dict[str, int] = {}
    # One round after the other, so that a noisy minute affects all of them.
    for _ in range(ROUNDS):
        for name, modules in PROVIDERS.items():
            found = measure("one_import", *modules)
            took[name].append(found["ms"])
            processor[name].append(found["processor_ms"])
            loaded[name] = found["modules"]
    for name, times in took.items():
        progress(
            f"imports: {name}: {spread(times, ' ms', 1)}, of that processor {spread(processor[name], ' ms', 1)}, "
            f"{loaded[name]} modules"
        )
    ours, everything = median(took.pop(OURS)), median(took.pop(ALL))
    lowest = min(took, key=lambda name: median(took[name]))
    how = (
        f"hook, operators and sensor imported after airflow.sdk in a fresh process; median of {ROUNDS} processes each, "
        "taken in turns"
    )
    return [
        Figure("import_ms", ours, GOAL_MS, f"milliseconds for {how}"),
        Figure(
            "import_all_ms", everything, GOAL_ALL_MS, f"as import_ms, of all vendors: {len(PROVIDERS[ALL])} modules"
        ),
        Figure(
            "import_to_lowest",
            ours / median(took[lowest]),
            1,
            f"ours over that of {lowest} ({median(took[lowest]):.1f} ms), the lowest of {', '.join(took)}: {how}",
        ),
    ]
