"""The rows of the table: medians over rounds, and their comparisons."""

import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

from attrs import field, frozen

from benchmarks.process import Contestant, Measurement
from benchmarks.targets import TARGETS, Target

T = TypeVar("T")

RATIO, DIFFERENCE = "ratio", "difference"


@frozen
class Spread:
    """A median with its minimum and maximum."""

    median: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median(values), min(values), max(values))


@frozen
class Comparison:
    """One row compared with another (`to`), round by round."""

    kind: str
    to: str
    value: Spread
    target: Target | None

    @property
    def is_met(self) -> bool | None:
        return None if self.target is None else self.target.is_met(self.value.median)


@frozen
class Row:
    """The result of one contestant, or the reason why there is none (`missing`)."""

    group: str
    name: str
    unit: str
    value: Spread | None = None
    details: Mapping[str, Spread] = field(factory=dict)
    comparisons: Sequence[Comparison] = ()
    missing: str | None = None


@frozen
class Sample:
    """The result of one round: the value, and further figures by their unit."""

    value: float
    details: Mapping[str, float] = field(factory=dict)


def run_rounds(
    group: str, contestants: Mapping[str, Contestant], rounds: int, to_sample: Callable[[Measurement], Sample]
) -> dict[str, list[Sample]]:
    """Run every contestant that is not missing once per round."""

    def sampled(contestant: Contestant) -> Callable[[], Sample]:
        return lambda: to_sample(contestant.run())

    runs = {name: sampled(contestant) for name, contestant in contestants.items() if contestant.missing is None}
    return interleave(group, runs, rounds)


def interleave(group: str, runs: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run everything once per round. Each round starts with another one, so that none always follows the same."""
    results: dict[str, list[T]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            print(f"{group}, round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            results[name].append(runs[name]())
    return results


def make_row(
    group: str,
    name: str,
    unit: str,
    samples: Mapping[str, Sequence[Sample]],
    compare_to: Sequence[str] = (),
    *,
    kind: str = RATIO,
) -> Row:
    """Summarize one contestant, compared with those of the others that took part."""
    own = samples[name]
    return Row(
        group,
        name,
        unit,
        value=Spread.of([sample.value for sample in own]),
        details={unit: Spread.of([sample.details[unit] for sample in own]) for unit in own[0].details},
        comparisons=[
            _compare(group, name, other, samples, kind) for other in compare_to if other in samples and other != name
        ],
    )


def _compare(group: str, name: str, other: str, samples: Mapping[str, Sequence[Sample]], kind: str) -> Comparison:
    pairs = [(a.value, b.value) for a, b in zip(samples[name], samples[other], strict=True)]
    values = [a / b if kind == RATIO else a - b for a, b in pairs]
    return Comparison(kind, other, Spread.of(values), TARGETS.get((group, name, other)))
