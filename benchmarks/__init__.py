"""Benchmarks of this client beside others, on one server in one run. `make bench` runs all of them.

`__main__.py` is the command. Each group of rows is a module: `paginator`, `structuring`, `scanning`, `inventory`,
`memory`, `startup`. Each program in `contestants/` runs in its own process, once per round. All contestants of a group
read from the same server (`server.py`), whose responses (`responses.py`) are rendered before the first request.
`targets.py` holds the target ratios.
"""
