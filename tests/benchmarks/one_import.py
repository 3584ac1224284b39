"""One measurement: the time to import the modules named as arguments, after ``airflow.sdk``.

This module imports only what a worker or the DAG processor would have imported itself.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time

if __name__ == "__main__":
    from airflow.sdk import BaseHook, BaseOperator, BaseSensorOperator  # noqa: F401

    # The same for every subject: otherwise one of them would pay for collecting the garbage of Airflow's import.
    gc.collect()
    known = len(sys.modules)
    began, processor = time.perf_counter(), time.process_time()
    for name in sys.argv[1:]:
        importlib.import_module(name)
    took, worked = time.perf_counter() - began, time.process_time() - processor
    loaded = len(sys.modules) - known
    print(json.dumps({"ms": took * 1000, "processor_ms": worked * 1000, "modules": loaded}))
