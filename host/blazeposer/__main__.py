"""`python -m blazeposer` is the command `blazeposer`."""

import sys

from blazeposer.cli import main

sys.exit(main())
