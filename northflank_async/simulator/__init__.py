"""Northflank in a process: an application with a generated inventory, for demos and for tests."""

from northflank_async.simulator.application import RequestRecord
from northflank_async.simulator.faults import Faults
from northflank_async.simulator.server import Simulator

__all__ = ["Faults", "RequestRecord", "Simulator"]
