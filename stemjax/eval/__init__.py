"""Metrics of generated music as plain functions, in the manner of mir_eval.

    import stemjax.eval
    stemjax.eval.frechet_distance(real_vectors, generated_vectors)
    stemjax.eval.beat_alignment(contexts, stems, rate=44_100)

Conventions: a vector set is an array [N, D]; a clip is mono audio [N], full scale 1; a
population is a sequence of clips or, if so stated, of one array of vectors for each clip.
The first population is the real one.  Functions import what they need when they are
called, so that `import stemjax.eval` is light.
"""

from stemjax.eval.distances import (
    frechet_distance,
    frechet_inf,
    kernel_distance,
    mirdd,
)
from stemjax.eval.fits import (
    accompaniment_prompt_adherence,
    beat_alignment,
    chroma_cosine,
    context_gain,
    groove,
)

__all__ = [
    "accompaniment_prompt_adherence",
    "beat_alignment",
    "chroma_cosine",
    "context_gain",
    "frechet_distance",
    "frechet_inf",
    "groove",
    "kernel_distance",
    "mirdd",
]
