"""Measure networks, compare BlazePoser with similar systems, and check that the float file and the INT8 file of a
network agree.

- `metrics.py` computes errors, recall and average precision.
- `datasets/` reads labelled data sets.
- `accuracy.py` measures the errors of a network and writes a report.
- `plots.py` draws the plots of the report.
- `detection.py` compares the network's detections with the detections of the original BlazeFace.
- `disturb.py` disturbs images, for example with blur or noise.
- `sheet.py` measures a network on disturbed images.
- `peers/` runs the similar systems (peers) with which BlazePoser is compared.
- `bench.py` compares the time and the accuracy of BlazePoser and of similar systems.
- `validate/` compares the outputs of the float file, the INT8 file and the camera for the same images.
- `figures.py` copies measured values from the manifest of each network into the documentation pages.
- `report.py` builds a report from sections, and prints the report in a terminal.
- `page.py` writes the report to files.
"""
