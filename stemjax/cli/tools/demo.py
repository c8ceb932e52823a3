"""`stemjax demo`: the page, served on this machine alone."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import tempfile
import threading
from collections.abc import Iterator

import tyro

HOST = "127.0.0.1"
MOST_DESKS = 8  # sessions that are held; five minutes of stereo are 100 MB
# the browser itself refuses what would leave the machine, whatever a library links to
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval';"
    " connect-src 'self' data: blob:"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """The page: layering in a browser, on 127.0.0.1 alone."""

    checkpoint: str = "stemgen-mini"
    """Bundled name, release folder or training workdir."""
    codec: str = ""
    """Codec folder, for a checkpoint whose codec is not bundled."""
    port: int = 7860


def main(argv: list[str], *, prog: str) -> None:
    """Serve the page until interrupted."""
    arguments = tyro.cli(Arguments, args=argv, prog=prog)

    from stemjax.io.allocator import keep_memory
    from stemjax.io.errors import exit_on_bad_input

    keep_memory()
    with exit_on_bad_input(), own_files() as place:
        run(arguments, place)


@contextlib.contextmanager
def own_files() -> Iterator[pathlib.Path]:
    """A folder for all that the page writes; it is removed at the end.

    Gradio reads these variables when it is imported.
    """
    with tempfile.TemporaryDirectory(prefix="stemjax-page-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["HF_HUB_OFFLINE"] = "1"
        place = pathlib.Path(folder) / "packed"
        place.mkdir()
        yield place


def run(arguments: Arguments, place: pathlib.Path) -> None:
    """Load the model, serve until interrupted or told to end.

    Raises:
      UserError: no Gradio, no such model, or a port that is taken.
    """
    import stemjax
    from stemjax.io.cache import use_compilation_cache
    from stemjax.io.errors import UserError

    try:
        import gradio as gr
    except ImportError:
        raise UserError("the page needs Gradio: pip install 'stemjax[demo]'") from None
    from starlette.middleware import Middleware

    from stemjax.demo.app import build
    from stemjax.demo.desk import Studio
    from stemjax.demo.policy import Policy
    from stemjax.demo.uploads import MOST_BYTES

    use_compilation_cache()
    model = stemjax.load(arguments.checkpoint, codec=arguments.codec)
    page = build(Studio(model), place).queue(max_size=16)
    fonts = ["system-ui", "sans-serif"]
    try:
        page.launch(
            server_name=HOST,
            server_port=arguments.port,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=MOST_BYTES,
            state_session_capacity=MOST_DESKS,
            allowed_paths=[str(place)],
            theme=gr.themes.Default(font=fonts, font_mono=["monospace"]),
            footer_links=["api"],
            app_kwargs={"middleware": [Middleware(Policy, policy=POLICY)]},
        )
    except OSError:
        raise UserError(
            f"--port {arguments.port}: not free on {HOST}; give another"
        ) from None
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print(f"http://{HOST}:{arguments.port}  (interrupt to stop)", flush=True)
    stop.wait()
    page.close()
