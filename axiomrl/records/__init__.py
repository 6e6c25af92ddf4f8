"""Results grouped by configuration: a view of run directories, which it can be rebuilt from."""

from axiomrl.records.layout import Place
from axiomrl.records.loading import LoadedRecords, load_records
from axiomrl.records.store import RecordStore

__all__ = ["LoadedRecords", "Place", "RecordStore", "load_records"]
