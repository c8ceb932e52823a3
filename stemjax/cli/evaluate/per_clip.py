"""`evaluate.py per-clip`: generated clips ranked by their distance from real stems."""

from stemjax.cli.evaluate.shared.arguments import PerClipArguments
from stemjax.cli.evaluate.shared.folders import DELAY, cache_folder, stem_folders
from stemjax.cli.evaluate.shared.progress import ProgressBar
from stemjax.eval.metrics.score import probe_all
from stemjax.eval.populations.clips import pair_folders, read_facts
from stemjax.eval.reports import clip_report
from stemjax.eval.studies import per_clip
from stemjax.eval.studies.score_settings import stem_embeddings
from stemjax.io.atomic import write_text


def run(command: PerClipArguments) -> None:
    """Rank the clips, write the CSV, print the farthest.

    Raises:
      UserError: bad folders or files.
    """
    triples = pair_folders(*stem_folders(command))
    embeddings, _ = stem_embeddings(command.vggish, command.fad_preset.value)
    with ProgressBar(delay=DELAY) as progress:
        examples = probe_all(triples, read_facts, progress)
        clips = per_clip.measure(
            examples, embeddings, cache_folder(command.cache), progress=progress
        )
    write_text(command.out, clip_report.csv(clips))
    print("\n".join(clip_report.lines(clips)))
    print(f"{command.out}: {len(clips.rows)} clips, the farthest first")
