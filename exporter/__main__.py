"""The entry point. It keeps signals from the start, before it imports modules that take time to load."""

import sys

from exporter.process import signals


def main() -> int:
    """Run the command line; return the exit code."""
    signals.remember()
    from exporter import cli  # noqa: PLC0415

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
