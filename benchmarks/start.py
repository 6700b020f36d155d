"""Start-up: seconds from the command to the first `/readyz` that says yes.

python -m benchmarks.start --runs 10
"""

import argparse
import os
import statistics

from benchmarks import servers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10, help="(10)")
    options = parser.parse_args()
    core = min(os.sched_getaffinity(0))
    times = []
    for number in range(1, options.runs + 1):
        with servers.orders(core) as server:
            times.append(server.seconds)
        print(f"run {number} of {options.runs}: {times[-1]:.2f} s")
    print(f"median {statistics.median(times):.2f} s, longest {max(times):.2f} s")


if __name__ == "__main__":
    main()
