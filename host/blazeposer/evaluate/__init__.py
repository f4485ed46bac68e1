"""Measure a network, compare it with similar systems, and check that all forms of the network agree.

metrics.py     computes errors, recall and average precision
datasets/      reads labelled data sets
accuracy.py    measures the errors of a network and writes a report
plots.py       draws the plots of the report
detection.py   compares the network's detections with the detections of the original BlazeFace
disturb.py     disturbs images
sheet.py       measures a network on disturbed images
peers/         runs the systems that BlazePoser is compared with
bench.py       compares the peers with BlazePoser
validate/      compares the forms of the network with each other
figures.py     writes the figures of the manifests into pages
report.py      builds a report of sections and prints the report
page.py        writes the report to files
"""
