"""Command `stemjax demo`: serve the page, by default to this machine only."""

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

GRADIO_SESSIONS = 64
"""Pages whose components Gradio remembers; `Sessions` holds what is the user's."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoArguments:
    """Serve a page for layering stems in a browser, by default to this machine only."""

    checkpoint: str = "stemgen-mini"
    """Bundled name, release folder or training workdir."""
    codec: str = ""
    """Codec folder; needed if the codec of the checkpoint is not bundled."""
    port: Port = 7860
    """TCP port of the page."""
    host: str = "127.0.0.1"
    """Address on which the page is served. It has no passwords: whoever reaches the
    address can use the page."""
    allowed_host: tuple[str, ...] = ()
    """Further names under which browsers ask for the page, such as studio.local. Requests
    for other names than these, --host and this machine are refused."""


def main(argv: list[str], *, prog: str) -> None:
    """Serve the page until SIGINT or SIGTERM."""
    arguments = parse(DemoArguments, argv, prog=prog)

    from stemjax.io.errors import exit_on_bad_input
    from stemjax.io.process.allocator import keep_memory

    keep_memory()
    with exit_on_bad_input(), temporary_files() as folder:
        serve(arguments, folder)


@contextlib.contextmanager
def temporary_files() -> Iterator[pathlib.Path]:
    """Make a folder for all files of the page, deleted at the end.

    Gradio reads these environment variables when it is imported.
    """
    with tempfile.TemporaryDirectory(prefix="stemjax-page-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "16"
        os.environ["HF_HUB_OFFLINE"] = "1"
        yield pathlib.Path(folder)


def serve(arguments: DemoArguments, folder: pathlib.Path) -> None:
    """Load the model and serve the page.

    Args:
      folder: for the files of the page.

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
    from gradio.route_utils import FnIndexInferError
    from starlette.middleware import Middleware

    from stemjax.demo.app import build_page
    from stemjax.demo.policy import LOOPBACK, PagePolicy
    from stemjax.demo.protocol import TimedProtocol
    from stemjax.demo.service import StemService
    from stemjax.demo.sessions import Sessions
    from stemjax.demo.uploads import MAX_BYTES

    use_compilation_cache()
    model = stemjax.load(arguments.checkpoint, codec=arguments.codec)
    service = StemService(model)
    sessions = Sessions(folder, on_end=service.cancel)
    page = build_page(service, sessions).queue(max_size=16)
    fonts = ["system-ui", "sans-serif"]
    policy = Middleware(
        PagePolicy,
        hosts=(*LOOPBACK, arguments.host, *arguments.allowed_host),
        sessions=sessions,
        unknown_end_point=FnIndexInferError,
    )
    try:
        page.launch(
            server_name=arguments.host,
            server_port=arguments.port,
            share=False,
            run_history=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=MAX_BYTES,
            state_session_capacity=GRADIO_SESSIONS,
            show_error=True,
            theme=gr.themes.Default(font=fonts, font_mono=["monospace"]),
            footer_links=["api"],
            app_kwargs={"middleware": [policy]},
        )
    except OSError:
        raise UserError(
            f"--port {arguments.port}: not free on {arguments.host}; give another"
        ) from None
    page.server.config.http_protocol_class = TimedProtocol  # read at each connection
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    address = f"http://{arguments.host}:{arguments.port}"
    print(f"{address}  (interrupt to stop)", flush=True)
    stop.wait()
    page.close()
