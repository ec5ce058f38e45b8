"""The process itself: signals, reloads, garbage collection."""
