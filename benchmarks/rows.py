"""The rows of the table: medians of rounds, and how they compare."""

import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

from attrs import field, frozen

from benchmarks.process import Contestant, Measure
from benchmarks.targets import TARGETS, Target

T = TypeVar("T")

RATIO, DIFFERENCE = "times", "more than"


@frozen
class Spread:
    """A median, and what it lies between."""

    median: float
    smallest: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median(values), min(values), max(values))


@frozen
class Comparison:
    """How a row compares to another: the median of what it is in each round."""

    kind: str
    to: str
    value: Spread
    target: Target | None

    @property
    def is_met(self) -> bool | None:
        return None if self.target is None else self.target.is_met(self.value.median)


@frozen
class Row:
    """What was measured of one contestant, or why nothing was."""

    group: str
    name: str
    unit: str
    value: Spread | None = None
    also: Mapping[str, Spread] = field(factory=dict)
    comparisons: Sequence[Comparison] = ()
    missing: str | None = None


@frozen
class Sample:
    """What one round says of a contestant: the value, and by their units what else there is to say."""

    value: float
    also: Mapping[str, float] = field(factory=dict)


def rounds(
    group: str, contestants: Mapping[str, Contestant], count: int, sample: Callable[[Measure], Sample]
) -> dict[str, list[Sample]]:
    """Run every contestant that can take part once a round."""

    def sampled(contestant: Contestant) -> Callable[[], Sample]:
        return lambda: sample(contestant.measure())

    runs = {name: sampled(contestant) for name, contestant in contestants.items() if contestant.missing is None}
    return interleave(group, runs, count)


def interleave(group: str, runs: Mapping[str, Callable[[], T]], count: int) -> dict[str, list[T]]:
    """What each run gives in each round. Each round begins with another, so that none is always after the same."""
    results: dict[str, list[T]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(count):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            print(f"{group}, round {number + 1} of {count}: {name}", file=sys.stderr, flush=True)
            results[name].append(runs[name]())
    return results


def row(
    group: str,
    name: str,
    unit: str,
    samples: Mapping[str, Sequence[Sample]],
    to: Sequence[str] = (),
    *,
    kind: str = RATIO,
) -> Row:
    """The row of that name, compared with those others that were measured too."""
    own = samples[name]
    return Row(
        group,
        name,
        unit,
        value=Spread.of([sample.value for sample in own]),
        also={what: Spread.of([sample.also[what] for sample in own]) for what in own[0].also},
        comparisons=[_compare(group, name, other, samples, kind) for other in to if other in samples and other != name],
    )


def _compare(group: str, name: str, other: str, samples: Mapping[str, Sequence[Sample]], kind: str) -> Comparison:
    pairs = [(own.value, its.value) for own, its in zip(samples[name], samples[other], strict=True)]
    values = [own / its if kind == RATIO else own - its for own, its in pairs]
    return Comparison(kind, other, Spread.of(values), TARGETS.get((group, name, other)))
