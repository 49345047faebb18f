"""What every peer's driver does the same way: time steps on one thread, in CPU-seconds, and print JSON."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version


def report(package: str, stepped: str, step: Callable[[], int]) -> None:
    """Print the median rate of `step`, after one call that warms up.

    The command line of the driver says how: repeats, then CPU-seconds of a repeat at least.

    Args:
        package: its name on PyPI.
        stepped: what is stepped, for people.
        step: makes some steps and returns how many users it moved on, counted once for each slate they met.
    """
    repeats, seconds = int(sys.argv[1]), float(sys.argv[2])
    step()
    rates = [_rate(step, seconds) for _ in range(repeats)]
    found = {
        "peer": package,
        "version": version(package),
        "stepped": stepped,
        "user_steps_per_cpu_second": round(statistics.median(rates)),
        "repeats": [round(rate) for rate in rates],
    }
    print(json.dumps(found))


def _rate(step: Callable[[], int], seconds: float) -> float:
    steps, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds:
        steps += step()
    return steps / spent
