"""BlazePoser: faces, keypoints and 3D head pose from one small INT8 network."""

__version__ = "0.1.0"
