"""One module for each command. `run(options)` returns its exit code; `exporter.cli` imports it when it is chosen."""
