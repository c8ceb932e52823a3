"""MIDI, read or composed, to songs in Slakh2100's layout: a dataset made offline.

python -m data.render --out DIR [--songs N --seed S]      the seeded composer
python -m data.render --out DIR --midi DIR --sf2 FILE     your own MIDI
"""
