"""Deploy BlazePoser's files to a camera, and restore the camera's old files. A deploy writes nothing without the user's
consent, and replaces nothing without a backup. `deployment.py` contains the steps of a deploy."""
