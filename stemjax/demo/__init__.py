"""The page: layering in a browser, on this machine alone (an extra: Gradio)."""
