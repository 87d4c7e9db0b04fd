"""Structure hooks as source code, one for each record, as cattrs makes them, but with each check where its value is.

They only notice that something is not as documented, by failing in whatever way: what it is and where is found out by
the converter that explains.
"""

from datetime import UTC, datetime
from typing import Any

import attrs
from cattrs import Converter

from northflank_async.records.values import (
    BY_NAME,
    Hook,
    camel_case,
    is_open_enum,
    is_optional,
    is_tuple,
    members,
    other_arm,
    structure_datetime,
    structure_size,
)

_UNREADABLE = "if {value}.__class__ is not {kind}: raise TypeError"


def record_factory(cls: type[Any], converter: Converter) -> Hook:
    """Generate the hook of a record."""
    source = _Source(converter)
    names = attrs.fields_dict(cls)
    lines = [line for name, field in names.items() for line in source.field(name, field)]
    stores = [f"made.{name} = {_variable(name)}" for name in names]
    made = [f"made = new({source.bind(_open_class(cls))})", *stores, f"made.__class__ = {source.bind(cls)}"]
    body = "\n    ".join(["get = raw.get", *lines, *made, "return made"])
    code = f"def structure_{cls.__name__}(raw, _):\n    {body}\n"
    exec(compile(code, f"<generated structure of {cls.__name__}>", "exec"), source.scope)
    hook: Hook = source.scope[f"structure_{cls.__name__}"]
    return hook


def _open_class(cls: type[Any]) -> type[Any]:
    """The record while it is made: to set a frozen class's fields takes twice as long as all the rest of the hook."""
    return type(
        f"Open{cls.__name__}",
        (cls,),
        {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__},
    )


def _variable(name: str) -> str:
    """A field's variable, which is no other of the hook's names."""
    return f"{name}_"


class _Source:
    """The lines of a hook, and what they refer to."""

    def __init__(self, converter: Converter) -> None:
        self.scope: dict[str, Any] = {
            "new": object.__new__,
            "fromisoformat": datetime.fromisoformat,
            "UTC": UTC,
        }
        self._converter = converter

    def bind(self, value: Any) -> str:
        """A name for a value."""
        name = f"_{len(self.scope)}"
        self.scope[name] = value
        return name

    def field(self, name: str, field: "attrs.Attribute[Any]") -> list[str]:
        """The lines that leave a field's value in its variable."""
        key, value = camel_case(name), _variable(name)
        if name == "size":
            text = f"{value}.__class__ is str and {value}.isascii() and {value}.isdigit()"
            slow = f"{self.bind(structure_size)}({value}, int)"
            return [f"{value} = get({key!r})", f"{value} = int({value}) if {text} else {slow}"]
        if name in BY_NAME:
            return [f"{value} = {self.bind(BY_NAME[name][0])}(get({key!r}), _)"]
        if field.default is attrs.NOTHING:
            return [f"{value} = raw[{key!r}]", *self._value(value, field.type)]
        lines = self._value(value, other_arm(field.type) if is_optional(field.type) else field.type)
        return [f"{value} = get({key!r})", f"if {value} is not None:", *(f"    {line}" for line in lines)]

    def _value(self, value: str, kind: Any) -> list[str]:
        """The lines that check the JSON in a variable, and replace it by what it becomes."""
        if kind in (str, bool):
            return [_UNREADABLE.format(value=value, kind=kind.__name__)]
        if is_open_enum(kind):
            known = self.bind(members(kind))
            return [_UNREADABLE.format(value=value, kind="str"), f"{value} = {known}.get({value}, {value})"]
        if kind is datetime:
            slow = f"{self.bind(structure_datetime)}({value}, _)"
            return [f"time = fromisoformat({value})",
                    f"{value} = time if time.tzinfo is UTC and {value}[10] == 'T' else {slow}"]  # fmt: skip
        if is_tuple(kind):
            (item, _) = kind.__args__
            made = f"tuple([{self._hook(item)}(item, _) for item in {value}])"
            return [_UNREADABLE.format(value=value, kind="list"), f"{value} = {made}"]
        made = f"{value} = {self._hook(kind)}({value}, _)"
        return [f"if {value}.__class__ is not int: {made}" if kind is int else made]

    def _hook(self, kind: Any) -> str:
        return self.bind(self._converter.get_structure_hook(kind))
