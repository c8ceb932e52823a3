"""Files of audio: bounds of recordings, decoding to the end, formats to write."""
