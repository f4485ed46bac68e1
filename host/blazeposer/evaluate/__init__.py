"""Measure a network, alone and beside its peers, and prove that all its forms agree.

metrics.py     errors, recall, average precision
datasets/      readers of labelled data sets
accuracy.py    errors of a network and their report, which plots.py draws
detection.py   detections beside those of the original BlazeFace
disturb.py     disturbed images; sheet.py measures on them
peers/         the systems that BlazePoser is compared with; bench.py compares
validate/      the forms of the network against each other
figures.py     manifests' figures into pages
report.py      a report of sections, printed or in Markdown; page.py makes files of it
"""
