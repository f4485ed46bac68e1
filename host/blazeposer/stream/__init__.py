"""Read the records that a camera streams. The camera streams one record for each frame, either as a line of JSON or in
packed form."""
