"""`python evaluate.py per-clip`: the generated clips that are farthest from real ones."""

import pathlib

from stemjax.eval import per_clip
from stemjax.eval.clips import pair_folders, read_facts
from stemjax.eval.commands.arguments import PerClip
from stemjax.eval.commands.score import Progress, folders, stem_embeddings
from stemjax.eval.score import probe_all
from stemjax.io.atomic import write_text


def run_per_clip(command: PerClip) -> None:
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
