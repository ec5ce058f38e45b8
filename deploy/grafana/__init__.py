"""The Grafana dashboards as code: a module for each, and what they share. `make dashboards` writes the JSON."""
