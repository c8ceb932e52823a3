"""The seeded composer: songs for a data set that anyone can make."""
