"""Wiring: the command line, the Prefect flow and its server. Prefect reads its settings once, when it is imported,
so they are settled here, before anything of this package can import it."""

import sys

from audit.processes import trusted_entries
from flows.environment import settle

sys.path[:] = trusted_entries(sys.path)
settle()
