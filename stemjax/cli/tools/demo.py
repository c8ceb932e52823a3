"""Command `stemjax demo`: serve the page on this machine only."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import tempfile
import threading
from collections.abc import Iterator

from stemjax.config.numbers import Port
from stemjax.io.process.command_line import parse

HOST = "127.0.0.1"
MAX_SESSIONS = 8
"""Users whose state is kept; five minutes of stereo take 100 MB."""
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval';"
    " connect-src 'self' data: blob:"
)
"""Content-Security-Policy: the browser refuses requests to other hosts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoArguments:
    """Serve a page for layering stems in a browser, on 127.0.0.1 only."""

    checkpoint: str = "stemgen-mini"
    """Bundled name, release folder or training workdir."""
    codec: str = ""
    """Codec folder; needed if the codec of the checkpoint is not bundled."""
    port: Port = 7860
    """TCP port of the page."""


def main(argv: list[str], *, prog: str) -> None:
    """Serve the page until SIGINT or SIGTERM."""
    arguments = parse(DemoArguments, argv, prog=prog)

    from stemjax.io.errors import exit_on_bad_input
    from stemjax.io.process.allocator import keep_memory

    keep_memory()
    with exit_on_bad_input(), temporary_files() as zip_folder:
        serve(arguments, zip_folder)


@contextlib.contextmanager
def temporary_files() -> Iterator[pathlib.Path]:
    """Make a folder for all files of the page, deleted at the end; yields its subfolder
    for zip files.

    Gradio reads these environment variables when it is imported.
    """
    with tempfile.TemporaryDirectory(prefix="stemjax-page-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["HF_HUB_OFFLINE"] = "1"
        zip_folder = pathlib.Path(folder) / "packed"
        zip_folder.mkdir()
        yield zip_folder


def serve(arguments: DemoArguments, zip_folder: pathlib.Path) -> None:
    """Load the model and serve the page.

    Raises:
      UserError: Gradio is not installed, no such model, or the port is in use.
    """
    import stemjax
    from stemjax.io.cache import use_compilation_cache
    from stemjax.io.errors import UserError

    try:
        import gradio as gr
    except ImportError:
        raise UserError("the page needs Gradio: pip install 'stemjax[demo]'") from None
    from starlette.middleware import Middleware

    from stemjax.demo.app import build_page
    from stemjax.demo.policy import ContentSecurityPolicy
    from stemjax.demo.service import StemService
    from stemjax.demo.uploads import MAX_BYTES

    use_compilation_cache()
    model = stemjax.load(arguments.checkpoint, codec=arguments.codec)
    page = build_page(StemService(model), zip_folder).queue(max_size=16)
    fonts = ["system-ui", "sans-serif"]
    try:
        page.launch(
            server_name=HOST,
            server_port=arguments.port,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=MAX_BYTES,
            state_session_capacity=MAX_SESSIONS,
            allowed_paths=[str(zip_folder)],
            theme=gr.themes.Default(font=fonts, font_mono=["monospace"]),
            footer_links=["api"],
            app_kwargs={
                "middleware": [Middleware(ContentSecurityPolicy, policy=POLICY)]
            },
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
