"""JUnit XML, in which continuous integration shows results: suites of cases, from any text."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from northflank_async.errors import printable

_TAGS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def new_case(name: str, classname: str, **attributes: str) -> Element:
    """Create a case, which passes unless a `failure`, an `error` or `skipped` is added to it."""
    return _element("testcase", name=name, classname=classname, **attributes)


def add(case: Element, tag: str, text: str | None = None, **attributes: str) -> None:
    """Add a result, or `system-out`, to a case."""
    child = SubElement(case, tag, {name: _clean(value) for name, value in attributes.items()})
    child.text = None if text is None else _clean(text)


def render_suites(name: str, suites: Mapping[str, Sequence[Element]], at: datetime) -> str:
    """Render suites of cases, by their names.

    Args:
        name: of the whole.
        suites: the cases.
        at: when they were made.
    """
    root = _element("testsuites", name=name, **_counts([case for cases in suites.values() for case in cases]))
    time = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    for suite_name, cases in suites.items():
        suite = _element("testsuite", name=suite_name, timestamp=time, **_counts(cases))
        suite.extend(cases)
        root.append(suite)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _counts(cases: Sequence[Element]) -> dict[str, str]:
    numbers = {name: sum(case.find(tag) is not None for case in cases) for name, tag in _TAGS.items()}
    return {"tests": str(len(cases)), **{name: str(number) for name, number in numbers.items()}}


def _element(tag: str, **attributes: str) -> Element:
    return Element(tag, {name: _clean(value) for name, value in attributes.items()})


def _clean(text: str) -> str:
    """Escape what XML cannot represent, and what would change how the rest is shown."""
    return "\n".join(map(printable, text.split("\n")))
