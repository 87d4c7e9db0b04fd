"""Generate a structure hook for each record, as cattrs does, but with the checks inlined for speed.

A generated hook fails with any exception when a value is invalid. The explaining converter then finds the place and the
reason.
"""

from datetime import UTC, datetime
from typing import Any

import attrs
from cattrs import Converter

from northflank_async.records.values import (
    ByteSize,
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

_TYPE_CHECK = "if {value}.__class__ is not {kind}: raise TypeError"


def record_factory(cls: type[Any], converter: Converter) -> Hook:
    """Generate the structure hook of a record class."""
    source = _Source(converter)
    names = attrs.fields_dict(cls)
    lines = [line for name, field in names.items() for line in source.field(name, field)]
    stores = [f"record.{name} = {_variable(name)}" for name in names]
    build = [f"record = new({source.bind(_mutable_class(cls))})", *stores, f"record.__class__ = {source.bind(cls)}"]
    body = "\n    ".join(["get = raw.get", *lines, *build, "return record"])
    code = f"def structure_{cls.__name__}(raw, _):\n    {body}\n"
    exec(compile(code, f"<generated structure of {cls.__name__}>", "exec"), source.namespace)
    hook: Hook = source.namespace[f"structure_{cls.__name__}"]
    return hook


def _mutable_class(cls: type[Any]) -> type[Any]:
    """A mutable subclass to fill in: setting a frozen record's fields takes twice as long as the rest of the hook."""
    return type(
        f"Mutable{cls.__name__}",
        (cls,),
        {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__},
    )


def _variable(name: str) -> str:
    """The local variable of a field; the underscore keeps it apart from the hook's other names."""
    return f"{name}_"


class _Source:
    """The source lines of one hook, and the global names that they use."""

    def __init__(self, converter: Converter) -> None:
        self.namespace: dict[str, Any] = {
            "new": object.__new__,
            "fromisoformat": datetime.fromisoformat,
            "UTC": UTC,
        }
        self._converter = converter

    def bind(self, value: Any) -> str:
        """Make a value available to the hook, and return its name."""
        name = f"_{len(self.namespace)}"
        self.namespace[name] = value
        return name

    def field(self, name: str, field: "attrs.Attribute[Any]") -> list[str]:
        """The lines that assign a field's value to its variable."""
        key, value = camel_case(name), _variable(name)
        if field.default is attrs.NOTHING:
            return [f"{value} = raw[{key!r}]", *self._value(value, field.type)]
        lines = self._value(value, other_arm(field.type) if is_optional(field.type) else field.type)
        return [f"{value} = get({key!r})", f"if {value} is not None:", *(f"    {line}" for line in lines)]

    def _value(self, value: str, kind: Any) -> list[str]:
        """The lines that check the JSON value in a variable and convert it in place."""
        if kind in (str, bool):
            return [_TYPE_CHECK.format(value=value, kind=kind.__name__)]
        if is_open_enum(kind):
            known = self.bind(members(kind))
            return [_TYPE_CHECK.format(value=value, kind="str"), f"{value} = {known}.get({value}, {value})"]
        if kind is datetime:
            slow = f"{self.bind(structure_datetime)}({value}, _)"
            return [f"time = fromisoformat({value})",
                    f"{value} = time if time.tzinfo is UTC and {value}[10] == 'T' else {slow}"]  # fmt: skip
        if kind == ByteSize:
            text = f"{value}.__class__ is str and {value}.isascii() and {value}.isdigit()"
            slow = f"{self.bind(structure_size)}({value}, _)"
            return [f"{value} = int({value}) if {text} else {slow}"]
        if is_tuple(kind):
            (item, _) = kind.__args__
            records = f"tuple([{self._hook(item)}(item, _) for item in {value}])"
            return [_TYPE_CHECK.format(value=value, kind="list"), f"{value} = {records}"]
        convert = f"{value} = {self._hook(kind)}({value}, _)"
        return [f"if {value}.__class__ is not int: {convert}" if kind is int else convert]

    def _hook(self, kind: Any) -> str:
        return self.bind(self._converter.get_structure_hook(kind))
