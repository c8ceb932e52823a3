"""Page for the browser: layering with a StemGen model (needs the extra `demo`)."""
