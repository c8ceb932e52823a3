"""`python -m data.render`: songs in Slakh's layout from MIDI or from the composer."""

import sys

from stemjax.data.render.arguments import RenderArgs
from stemjax.data.render.estimate import announce
from stemjax.data.render.jobs import Limits, RenderReport, render_all
from stemjax.data.render.sources import list_jobs
from stemjax.io.errors import UserError, exit_on_bad_input
from stemjax.io.process.command_line import parse


def run(args: RenderArgs) -> list[RenderReport]:
    """Render and return the reports; a progress bar goes to stderr.

    Songs with one soundfont follow each other, so that a process loads one at a time.
    """
    from tqdm import tqdm

    args.check()
    jobs, omitted = list_jobs(args)
    limits = Limits(args.max_seconds, args.min_notes)
    announce(jobs, args.out, limits, args.workers)
    reports = []
    with tqdm(total=len(jobs), unit="song", desc="render") as bar:
        for synth in dict.fromkeys(job.synth for job in jobs):
            songs = [job.song for job in jobs if job.synth == synth]
            workers = min(args.workers, len(songs))
            for report in render_all(songs, args.out, synth, limits, workers):
                for line in report.remarks:
                    bar.write(line, file=sys.stderr)
                bar.update()
                reports.append(report)
    if omitted:
        print(f"omitted by {args.splits}: {', '.join(omitted)}")
    return reports


def main(argv: list[str] | None = None, *, prog: str = "python -m data.render") -> None:
    """Parse the arguments and render; bad input is one line and exit status 2."""
    with exit_on_bad_input(resumes=True):
        args = parse(RenderArgs, argv, prog=prog)
        reports = run(args)
        done = [report for report in reports if not report.problem]
        if not done:
            raise UserError(
                f"no song of {len(reports)} could be rendered: {reports[0].problem}"
            )
        minutes = sum(report.seconds for report in done) / 60
        resumed = sum(report.is_resumed for report in done)
        print(
            f"{len(done)} songs in {args.out} ({minutes:.1f} min new, {resumed} already"
            f" there), {len(reports) - len(done)} skipped"
        )


if __name__ == "__main__":
    main()
