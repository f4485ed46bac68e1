"""Read the records that a camera streams, one record for each frame, as a line of JSON or in packed form."""
