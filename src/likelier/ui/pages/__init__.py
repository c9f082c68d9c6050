"""The pages, one module each: `register(site)` puts it at its address."""

from likelier.ui.pages import datasets, insights, instances

ALL = (instances, insights, datasets)
