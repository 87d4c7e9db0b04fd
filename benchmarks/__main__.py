"""Run the benchmarks, print one table, and write it as JSON.

    python -m benchmarks [GROUP ...] [--rounds N] [--quick] [--markdown] [--json PATH]
                         [--latencies 0,20,50,100] [--concurrency 32] [--inventory 100000] [--dumps 20]

Each contestant runs in a new process in each round, and the contestants of a round take turns on the same server. The
figures are medians over the rounds; contestants are compared within each round. A missed target does not change the
exit status.
"""

import argparse
import sys
from pathlib import Path

from benchmarks import accounts, inventory, memory, mirroring, paginator, scanning, startup, structuring
from benchmarks.settings import Settings
from benchmarks.table import print_table, to_json, to_markdown

GROUPS = {
    group.GROUP: group for group in (paginator, structuring, scanning, inventory, accounts, memory, mirroring, startup)
}
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    arguments = parse_arguments()
    settings = Settings(
        quick=arguments.quick,
        rounds=arguments.rounds,
        latencies=arguments.latencies,
        concurrency=arguments.concurrency,
        large_inventory=arguments.inventory,
        dumps=arguments.dumps,
    )
    selected = arguments.groups or GROUPS
    rows = [row for name, group in GROUPS.items() if name in selected for row in group.run(settings)]
    arguments.json.write_text(f"{to_json(rows)}\n", encoding="utf-8")
    if arguments.markdown:
        print(to_markdown(rows))
    else:
        print_table(rows)
    print(f"Wrote {arguments.json}", file=sys.stderr)


def parse_arguments() -> argparse.Namespace:
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks and print one table.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)}; default: all")
    parser.add_argument("--rounds", type=positive, help="rounds per group (default: each group's own number)")
    parser.add_argument("--quick", action="store_true", help="one small round, to check that everything works")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", type=Path, default=RESULTS, help="output file (default: %(default)s)")
    parser.add_argument(
        "--latencies",
        type=latencies,
        default=defaults.latencies,
        help="of the group scanning, in ms (default: 0,20,50,100)",
    )
    parser.add_argument(
        "--concurrency", type=positive, default=defaults.concurrency, help="requests in flight (default: %(default)s)"
    )
    parser.add_argument(
        "--inventory",
        type=inventory_size,
        default=defaults.large_inventory,
        help="backups in the large inventory of the group memory, a multiple of 5000 (default: %(default)s)",
    )
    parser.add_argument(
        "--dumps",
        type=positive,
        default=defaults.dumps,
        help="of 50 MB each, in the group mirroring (default: %(default)s)",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - GROUPS.keys():
        parser.error(f"unknown group: {', '.join(sorted(unknown))}; choose from {', '.join(GROUPS)}")
    return arguments


def positive(text: str) -> int:
    """Parse an integer of 1 or more."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def inventory_size(text: str) -> int:
    number = positive(text)
    if number % memory.BACKUPS_PER_PROJECT or number <= memory.SMALL:
        raise ValueError
    return number


def latencies(text: str) -> tuple[int, ...]:
    return tuple(int(latency) for latency in text.split(","))


if __name__ == "__main__":
    main()
