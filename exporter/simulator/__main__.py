import sys

from exporter.simulator.command import main

sys.exit(main())
