"""SSD: Single Shot MultiBox Detector (arXiv 1512.02325), a part a file."""
