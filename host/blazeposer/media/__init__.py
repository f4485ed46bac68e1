"""Read and write images and videos."""
