"""Run the demo, in which a virtual camera films a portrait whose head turns."""
