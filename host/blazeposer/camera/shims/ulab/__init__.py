# Imitates ulab 6.12: `from ulab import numpy as np`.

from . import numpy
