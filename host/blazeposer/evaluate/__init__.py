"""Measure a network, alone and beside its peers, and prove that all its forms agree.

metrics.py        errors, recall, average precision
datasets/         readers of labelled data sets
accuracy.py       `blazeposer evaluate`, with its report in accuracy_report.py and plots.py
detection.py      `blazeposer detection`
disturb.py        disturbed images; robustness.py measures on them
tracking/         `blazeposer tracking`
peers/            the systems that BlazePoser is compared with; peers_section.py and bench.py compare
validate/         the forms of the network against each other
figures.py        manifests' figures into pages
report.py         a report's sections, as HTML; text.py as text
"""
