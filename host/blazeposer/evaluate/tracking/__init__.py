"""Measure the benefit of `blazeposer.faces`: steady numbers, the closer look, positions."""
