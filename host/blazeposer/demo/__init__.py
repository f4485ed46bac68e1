"""The demo: the virtual camera sees a portrait whose head turns, and its stream of poses is drawn."""
