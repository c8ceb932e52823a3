"""Renders MIDI files or composed songs in Slakh2100's layout.

python -m data.render --out DIR [--songs N --seed S]      the seeded composer
python -m data.render --out DIR --midi DIR --sf2 FILE     MIDI files
"""
