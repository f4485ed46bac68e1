"""Run the demo. In the demo, the virtual camera sees a portrait with a head that turns. The demo draws the poses that
the camera streams."""
