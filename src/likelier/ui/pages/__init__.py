"""The pages, one module each: `register(site)` puts it at its address."""

from likelier.ui.pages import alerts, audit, create, datasets, insights, instances, lost, profiles, segments

# The address of the steps comes before that of an instance, which would take it for an id.
ALL = (instances, create, insights, datasets, profiles, segments, alerts, audit, lost)
