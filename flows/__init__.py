"""Wiring: the command line, the Prefect flow and its server. Prefect reads its settings once, when it is imported,
so they are settled here, before anything of this package can import it."""

from flows.environment import settle

settle()
