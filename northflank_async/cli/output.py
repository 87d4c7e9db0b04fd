"""Results as they are written on standard output: JSON and YAML as Northflank's own command line prints them."""

import json
import sys
from typing import Any

import click


def format_of(output: str | None) -> str:
    """The format that is asked for: a table is for a terminal, JSON for whatever else reads it."""
    return output or ("table" if sys.stdout.isatty() else "json")


def write_items(data: dict[str, Any], key: str, output: str) -> None:
    """Write a listing's items, which are the array at `key`; as JSON or YAML, all of `data`."""
    if output == "table":
        from northflank_async.cli.columns import print_items

        print_items(data[key], key)
    elif output == "jsonl":
        for item in data[key]:
            write_data(item, output)
    else:
        write_data(data, output)


def write_item(item: Any, key: str, output: str) -> None:
    """Write one of what a listing has at `key`."""
    if output == "table":
        from northflank_async.cli.columns import print_item

        print_item(item, key)
    else:
        write_data(item, output)


def write_data(data: Any, output: str) -> None:
    """Write what was sent, as it was sent."""
    if output == "yaml":
        click.echo(_yaml(data))  # an empty line follows, which `northflank` prints, too
    elif output == "jsonl":
        click.echo(_json(data, indent=None))
    else:
        click.echo(_json(data, indent=1))


def _json(data: Any, indent: int | None) -> str:
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can write as an escape alone
        return json.dumps(data, indent=indent)
    return text


def _yaml(data: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Arrays stand further to the right than their names, and nothing is said twice by a reference."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=sys.maxsize)
