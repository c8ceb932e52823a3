"""`python evaluate.py results`: what the commands measured, on one page."""

import pathlib
import shutil

from stemjax.eval import results_page
from stemjax.eval.commands.listening_arguments import Results
from stemjax.io.atomic import replacing, write_text
from stemjax.io.errors import UserError


def run_results(command: Results) -> None:
    """Write the page, and its pictures into a folder of its name beside it.

    Raises:
      UserError: nothing to put there, or words with numbers of their own.
    """
    found = results_page.find(pathlib.Path(command.source))
    out = pathlib.Path(command.out)
    folder = out.with_suffix("")
    if folder == out:
        raise UserError(f"--out {out}: give a file such as docs/results.md")
    words = ""
    if command.words:
        try:
            words = pathlib.Path(command.words).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise UserError(f"--words {command.words}: no text that can be read") from (
                None
            )
    text = results_page.page(found, words, folder.name)
    for part in found:
        for picture in part.pictures:
            with replacing(folder / results_page.picture_name(part, picture)) as copy:
                shutil.copyfile(picture, copy)
    write_text(out, text)
    print(
        f"{out}: {len(found)} results, {sum(len(p.pictures) for p in found)} pictures"
    )
