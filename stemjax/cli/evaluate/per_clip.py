"""`evaluate.py per-clip`: the generated clips that are farthest from real ones."""

import pathlib

from stemjax.cli.evaluate.arguments import PerClip
from stemjax.cli.evaluate.score import Progress, folders, stem_embeddings
from stemjax.eval.metrics.score import probe_all
from stemjax.eval.populations.clips import pair_folders, read_facts
from stemjax.eval.studies import per_clip
from stemjax.io.atomic import write_text


def run(command: PerClip) -> None:
    """Measure, write the CSV, print the worst.

    Raises:
      UserError: bad folders or files.
    """
    triples = pair_folders(*folders(command))
    embeddings, _ = stem_embeddings(command.vggish, command.fad_preset)
    progress = Progress()
    try:
        examples = probe_all(triples, read_facts, progress)
        cache = pathlib.Path(command.cache).expanduser()
        found = per_clip.measure(examples, embeddings, cache, progress=progress)
    finally:
        progress.close()
    write_text(command.out, per_clip.table(found))
    print("\n".join(per_clip.lines(found)))
    print(f"{command.out}: {len(found.rows)} clips, the farthest first")
