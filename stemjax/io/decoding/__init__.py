"""Decoding of audio files to their end, whatever their headers claim."""
