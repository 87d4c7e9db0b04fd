"""A simulated Northflank API with a generated inventory, for demos and tests."""

from northflank_async.simulator.faults import Faults
from northflank_async.simulator.identity import Identity
from northflank_async.simulator.middleware import RequestRecord
from northflank_async.simulator.provisioning import Provisioning
from northflank_async.simulator.scenarios import SCENARIOS
from northflank_async.simulator.server import Simulator
from northflank_async.simulator.storage import Downloads
from northflank_async.simulator.tenants import Tenant

__all__ = ["SCENARIOS", "Downloads", "Faults", "Identity", "Provisioning", "RequestRecord", "Simulator", "Tenant"]
