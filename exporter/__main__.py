"""The program, from its first moment on: signals are remembered before anything is imported that takes time."""

import sys

from exporter.process import signals


def main() -> int:
    """Run the command line; gives the exit code."""
    signals.remember()
    from exporter import cli  # noqa: PLC0415

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
