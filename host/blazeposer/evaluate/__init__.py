"""Measure a network, compare it with similar systems, and check that all forms of the network agree.

metrics.py     errors, recall, average precision
datasets/      readers of labelled data sets
accuracy.py    errors of a network and the report on them; plots.py draws the plots of the report
detection.py   detections of the network, compared with those of the original BlazeFace
disturb.py     disturbed images; sheet.py measures a network on these images
peers/         the systems that BlazePoser is compared with; bench.py compares them
validate/      comparison of the forms of the network with each other
figures.py     writes the figures of the manifests into pages
report.py      a report of sections, printed or in Markdown; page.py writes the report to files
"""
