"""Run a network in several forms (for example float and INT8) on the same images, and report the differences."""
