"""Run the command `blazeposer` as `python -m blazeposer`."""

import sys

from blazeposer.cli import main

sys.exit(main())
