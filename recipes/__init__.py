"""Recipes: long jobs made of this repository's own commands, ready to be run whole."""
