"""Datasets: named sets of events, or of what is known about profiles."""

from likelier.datasets.dataset import (
    Dataset,
    Kind,
    list_datasets,
    open_dataset,
    read_dataset,
    read_files,
    read_rejects,
    rejects_of,
    table_of,
)
from likelier.datasets.description import describe
from likelier.datasets.trails import forget_rows, is_published, person_rows, publish_rows
from likelier.events.schema import Field, FieldType

__all__ = [
    "Dataset",
    "Field",
    "FieldType",
    "Kind",
    "describe",
    "forget_rows",
    "is_published",
    "list_datasets",
    "open_dataset",
    "person_rows",
    "publish_rows",
    "read_dataset",
    "read_files",
    "read_rejects",
    "rejects_of",
    "table_of",
]
