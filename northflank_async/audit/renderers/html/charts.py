"""Charts as SVG. Each kind of day differs by shape as well as by color; the page's style sets the colors."""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from xml.sax.saxutils import escape

from markupsafe import Markup

from northflank_async.audit.history import DAYS, Day, History

_CELL, _PITCH = 12, 14
_LEFT, _TOP = 30, 16
_WEEKDAYS = ((0, "Mon"), (2, "Wed"), (4, "Fri"))
_WIDTH, _HEIGHT = 260, 114
_PLOT_TOP, _PLOT_BOTTOM = 18, 92
_MOST_DOTS = 20
"""Dumps that have a dot each; of more, only the last one."""

_FULL = "h12v12h-12z"
_FRAME = "m1 1h10v10h-10z"
_SHAPES = {
    Day.COMPLETED: (("c", _FULL),),
    Day.PARTIAL: (("c", "v12h12z"), ("m2", _FRAME)),
    Day.FAILED: (("f", _FULL), ("x", "m3.5 3.5l5 5m0-5l-5 5")),
    Day.MISSED: (("m", _FRAME), ("m3", "m6 3v3.5m0 1.7v1")),
    Day.RUNNING: (("r", "m0 6a6 6 0 1 1 12 0a6 6 0 1 1-12 0z"),),
    Day.EXPIRED: (("e", "m4.5 4.5h3v3h-3z"),),
    Day.NOTHING: (("n", "m1 1h10v10h-10z"),),
    Day.UNKNOWN: (("u", _FRAME), ("u", "m1 11l10-10")),
}
"""The paths of each kind of day, from the corner of its cell on, and their classes."""


def calendar(history: History, description: str) -> Markup:
    """Draw a calendar: a column for each week, a row for each weekday.

    Args:
        history: what is drawn.
        description: the alternative text.
    """
    offset = history.start.weekday()
    paths: dict[str, list[str]] = defaultdict(list)
    for number, letter in enumerate(history.days):
        week, weekday = divmod(number + offset, 7)
        for name, path in _SHAPES[Day(letter)]:
            paths[name].append(f"M{_LEFT + week * _PITCH} {_TOP + weekday * _PITCH}{path}")
    weeks = (DAYS + offset - 1) // 7 + 1
    texts = [_text(0, _TOP + row * _PITCH + 10, name) for row, name in _WEEKDAYS]
    month, last = None, -3
    for week in range(weeks):
        day = history.start + timedelta(days=week * 7 - offset + 6)  # its Sunday
        if day.month != month and week - last > 2 and week < weeks - 1:
            texts.append(_text(_LEFT + week * _PITCH, 10, f"{day:%b}"))
            month, last = day.month, week
    shapes = "".join(f'<path class="{name}" d="{"".join(each)}"/>' for name, each in paths.items())
    width, height = _LEFT + weeks * _PITCH, _TOP + 7 * _PITCH
    return _svg(width, height, description, "".join(texts) + shapes, "calendar")


def legend(day: Day) -> Markup:
    """Draw one day of a calendar."""
    shapes = "".join(f'<path class="{name}" d="M0 0{path}"/>' for name, path in _SHAPES[day])
    return Markup(f'<svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">{shapes}</svg>')


def sizes(history: History, format_size: Callable[[int], str]) -> Markup:
    """Draw the size of the last dump of each day. The axis begins at zero."""
    most = max(history.dump_sizes) or 1
    points = [
        (
            round(6 + day * (_WIDTH - 12) / (DAYS - 1), 1),
            round(_PLOT_BOTTOM - size / most * (_PLOT_BOTTOM - _PLOT_TOP), 1),
        )
        for day, size in zip(history.dump_days, history.dump_sizes, strict=True)
    ]
    line = "L".join(f"{x:g} {y:g}" for x, y in points)
    area = f"M{points[0][0]:g} {_PLOT_BOTTOM}L{line}L{points[-1][0]:g} {_PLOT_BOTTOM}z"
    dots = "".join(f"M{x:g} {y:g}h0" for x, y in (points if len(points) <= _MOST_DOTS else points[-1:]))
    end = history.start + timedelta(days=DAYS - 1)
    parts = [
        f'<path class="axis" d="M0 {_PLOT_BOTTOM}H{_WIDTH}M0 {_PLOT_TOP}H{_WIDTH}"/>',
        f'<path class="area" d="{area}"/><path class="line" d="M{line}"/><path class="dots" d="{dots}"/>',
        _text(0, 12, format_size(max(history.dump_sizes))),
        _text(0, _HEIGHT - 8, f"{history.start.day} {history.start:%b}"),
        _text(_WIDTH, _HEIGHT - 8, f"{end.day} {end:%b}", "end"),
    ]
    last, least = history.dump_sizes[-1], min(history.dump_sizes)
    description = (
        f"Sizes of {len(points)} dumps: from {format_size(least)} to {format_size(max(history.dump_sizes))},"
        f" the last {format_size(last)}"
    )
    return _svg(_WIDTH, _HEIGHT, description, "".join(parts), "sizes")


def _svg(width: int, height: int, description: str, content: str, name: str) -> Markup:
    label = escape(description, {'"': "&quot;"})
    return Markup(
        f'<svg class="{name}" role="img" aria-label="{label}" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}">{content}</svg>'
    )


def _text(x: int, y: int, text: str, anchor: str | None = None) -> str:
    end = "" if anchor is None else f' text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}"{end}>{escape(text)}</text>'
