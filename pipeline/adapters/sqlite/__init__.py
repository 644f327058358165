"""The embedded engine's database: ledger and queue in one file."""

from pipeline.adapters.sqlite.database import Database
from pipeline.adapters.sqlite.ledger import SqliteLedger
from pipeline.adapters.sqlite.queue import SqliteQueue

__all__ = ["Database", "SqliteLedger", "SqliteQueue"]
