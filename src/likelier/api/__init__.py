"""REST: routes parse a request, call a service function, and answer what it says."""
