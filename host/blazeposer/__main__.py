"""Run the command `blazeposer` when Python starts the package with `python -m blazeposer`."""

import sys

from blazeposer.cli import main

sys.exit(main())
