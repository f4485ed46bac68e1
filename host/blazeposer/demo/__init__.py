"""In the demo, the virtual camera sees a portrait whose head turns. The demo draws the poses that the camera
streams."""
