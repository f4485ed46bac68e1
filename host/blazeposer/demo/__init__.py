"""The demo: a portrait whose head really turns, seen by the virtual camera, streamed and drawn."""
