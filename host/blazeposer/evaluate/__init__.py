"""Measure networks, compare BlazePoser with similar systems, and check that all forms of a network agree."""
