"""https://micropython-ulab.readthedocs.io"""

from ulab import numpy as numpy
