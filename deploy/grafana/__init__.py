"""Define the Grafana dashboards: a module for each, and shared parts. `make dashboards` writes the JSON."""
