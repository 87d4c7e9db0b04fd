"""How fast this client is, beside others, on one server in one run; `make bench` runs all of it.

`__main__.py` is the command. A group of rows is a file: `paginator`, `structuring`, `scanning`, `inventory`, `memory`,
`startup`. Each of `contestants/` runs in a process of its own, once a round, and all of a group read the same server
(`server.py`), whose answers (`answers.py`) are ready before the first request. `targets.py` says what is to be reached.
"""
