"""The process: signals, reloads, garbage collection, logs, output, and the families of the process as a whole."""
