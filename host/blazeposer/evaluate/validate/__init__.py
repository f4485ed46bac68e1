"""`blazeposer validate` runs a network in several forms (for example float and INT8) on the same images, and reports
the differences."""
