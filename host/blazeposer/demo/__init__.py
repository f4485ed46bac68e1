"""Run the demo. In the demo, a virtual camera films a portrait in which the head turns. The demo draws the head poses
that the virtual camera streams."""
