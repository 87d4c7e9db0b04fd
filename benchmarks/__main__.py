"""Measure, print one table, and write it as JSON.

    python -m benchmarks [GROUP ...] [--rounds N] [--quick] [--markdown] [--json PATH]
                         [--latencies 0,20,50,100] [--concurrency 32] [--inventory 100000]

Each contestant is a process of its own in each round; in a round all of them take their turn, on the same server. The
figures are medians over the rounds; a comparison is made within each round. Whether a target is met does not change
the exit status.
"""

import argparse
import sys
from pathlib import Path

from benchmarks import inventory, memory, paginator, scanning, startup, structuring
from benchmarks.settings import Settings
from benchmarks.table import print_table, to_json, to_markdown

GROUPS = {group.GROUP: group for group in (paginator, structuring, scanning, inventory, memory, startup)}
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    arguments = parse()
    settings = Settings(
        quick=arguments.quick,
        rounds=arguments.rounds,
        latencies=arguments.latencies,
        concurrency=arguments.concurrency,
        larger_inventory=arguments.inventory,
    )
    wanted = arguments.groups or GROUPS
    rows = [row for name, group in GROUPS.items() if name in wanted for row in group.measure(settings)]
    arguments.json.write_text(f"{to_json(rows)}\n", encoding="utf-8")
    if arguments.markdown:
        print(to_markdown(rows))
    else:
        print_table(rows)
    print(f"Written to {arguments.json}", file=sys.stderr)


def parse() -> argparse.Namespace:
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and print one table.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)}; all if left out")
    parser.add_argument("--rounds", type=positive, help="instead of each group's own number")
    parser.add_argument("--quick", action="store_true", help="one round of little, to see that all of it works")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where to write it (default: %(default)s)")
    parser.add_argument(
        "--latencies", type=latencies, default=defaults.latencies, help="in ms, of scanning (default: 0,20,50,100)"
    )
    parser.add_argument(
        "--concurrency", type=positive, default=defaults.concurrency, help="requests in flight (default: %(default)s)"
    )
    parser.add_argument(
        "--inventory",
        type=inventory_size,
        default=defaults.larger_inventory,
        help="backups of the larger inventory of memory, a multiple of 5000 (default: %(default)s)",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - GROUPS.keys():
        parser.error(f"there is no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    return arguments


def positive(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def inventory_size(text: str) -> int:
    number = positive(text)
    if number % memory.A_PROJECT or number <= memory.SMALL:
        raise ValueError
    return number


def latencies(text: str) -> tuple[int, ...]:
    return tuple(int(latency) for latency in text.split(","))


if __name__ == "__main__":
    main()
