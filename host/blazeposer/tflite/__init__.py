"""Read, check, measure and run tflite files."""
