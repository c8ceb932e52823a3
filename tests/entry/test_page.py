"""The page in a headless browser: two layers, a cancel, a bad upload, a download, no
requests to other hosts."""

import importlib.util
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile

import numpy as np
import pytest
import soundfile

from benchmarks.reliability.page_user import CONTROLS, Client
from tests.entry.random_release import ROOT, write_random_release

browsers = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.entry,
    pytest.mark.slow,
    pytest.mark.skipif(  # not imported here: that takes seconds
        not importlib.util.find_spec("gradio"), reason="pip install 'stemjax[demo]'"
    ),
    pytest.mark.skipif(
        not CHROMIUM, reason="no chromium (Debian: apt install chromium)"
    ),
]
WAIT = 180_000  # milliseconds; compiling on two busy cores takes its time


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    # so many steps that a person has the time to cancel
    release = write_random_release(tmp_path_factory.mktemp("release"), (1500, 2))
    files = tmp_path_factory.mktemp("tmp")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "stemjax", "demo", "--checkpoint", str(release)]
        + ["--port", str(port)],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "TMPDIR": str(files)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert f"http://127.0.0.1:{port}" in process.stdout.readline()
    yield port, process, files
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stdout.close()
    assert not list(files.glob("stemjax-page-*"))  # what was uploaded and made is gone


@pytest.fixture(scope="module")
def chromium():
    with browsers.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


def has(page, selector, text):
    page.wait_for_function(
        "([s, t]) => document.querySelector(s)?.innerText.includes(t)",
        arg=[selector, text],
        timeout=WAIT,
    )


@pytest.fixture
def page(server, chromium):
    """A page whose requests are written down; with the example open."""
    tab = chromium.new_page(viewport={"width": 1400, "height": 1000})
    requests = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(f"http://127.0.0.1:{server[0]}/")
    tab.wait_for_selector("#example", timeout=WAIT)
    tab.click("#example")
    has(tab, "#about", "context.flac")
    yield tab
    own = (f"http://127.0.0.1:{server[0]}", "data:", "blob:")
    assert requests and all(url.startswith(own) for url in requests)
    tab.close()


def test_two_layers_are_kept_heard_and_downloaded(page, tmp_path):
    has(page, "#about", "beats per minute")
    has(page, "#expected", "Generating takes about")
    for number in (1, 2):
        page.click("#answer")
        page.wait_for_selector("#keep-2", state="visible", timeout=WAIT)
        has(page, "#status", "2 variations of bass")
        page.click(f"#keep-{number}")
        has(page, "#solo", f"{number} bass")
        page.wait_for_selector("#keep-1", state="hidden", timeout=WAIT)
    shot = tmp_path / "page.png"
    page.screenshot(path=shot, full_page=True)
    assert shot.stat().st_size > 50_000
    page.click("#pack")
    page.wait_for_selector("#packed a[download]", timeout=WAIT)
    with page.expect_download(timeout=WAIT) as download:
        page.click("#packed a[download]")
    archive = zipfile.ZipFile(download.value.path())
    names = archive.namelist()
    assert {"mix.wav", "layer_01.wav", "layer_02.wav", "session.json"} <= set(names)
    total = 0
    for name in ("context.wav", "layer_01.wav", "layer_02.wav"):
        total = total + soundfile.read(io.BytesIO(archive.read(name)))[0]
    mix, _ = soundfile.read(io.BytesIO(archive.read("mix.wav")))
    np.testing.assert_allclose(total, mix, atol=1e-6)
    page.click("#undo")
    page.wait_for_function(
        "!document.querySelector('#solo').innerText.includes('2 bass')", timeout=WAIT
    )
    page.click("#mute input >> nth=0")
    page.wait_for_timeout(1000)
    has(page, "#mute", "1 bass")


def test_a_decoding_is_cancelled_and_the_next_one_runs(page):
    page.click("text=refine (full steps)")
    page.click("#answer")
    page.wait_for_selector(".progress-text, .eta-bar, .progress-level", timeout=WAIT)
    page.click("#cancel")
    has(page, "#status", "Cancelled; nothing was changed.")
    page.click("text=fast (16 steps)")
    page.click("#answer")
    has(page, "#status", "2 variations of bass")


def test_a_bad_upload_is_told_and_the_page_goes_on(page, tmp_path):
    bad = tmp_path / "notes.wav"
    bad.write_text("no audio")
    page.set_input_files("#upload input[type=file]", str(bad))
    page.wait_for_selector("text=notes.wav: not an audio file", timeout=WAIT)
    assert str(tmp_path) not in page.content()
    page.click("#silence")
    has(page, "#about", "silence: 8.0 s")


def test_a_second_person_waits_in_a_queue_that_is_shown(page, server, chromium):
    """One decoding at a time: the other tab says where it stands, can cancel there, and
    gets its turn when the first is cancelled."""
    other = chromium.new_page()
    other.goto(f"http://127.0.0.1:{server[0]}/")
    other.wait_for_selector("#silence", timeout=WAIT)
    other.click("#silence")
    has(other, "#about", "silence: 8.0 s")
    page.click("text=refine (full steps)")
    page.click("#answer")
    page.wait_for_selector(".progress-text, .eta-bar, .progress-level", timeout=WAIT)
    other.click("#answer")
    other.wait_for_selector("text=/queue: 1/", timeout=WAIT)
    other.click("#cancel")
    page.click("#cancel")
    for tab in (other, page):
        has(tab, "#status", "Cancelled; nothing was changed.")
    page.click("#answer")
    page.wait_for_selector(".progress-text, .eta-bar, .progress-level", timeout=WAIT)
    other.click("#answer")
    other.wait_for_selector("text=/queue: 1/", timeout=WAIT)
    page.click("#cancel")
    has(other, "#status", "2 variations of bass")
    other.close()


def test_end_points_have_names_and_large_files_are_turned_away(server, page, tmp_path):
    with urllib.request.urlopen(
        f"http://127.0.0.1:{server[0]}/gradio_api/info"
    ) as answered:
        named = set(json.load(answered)["named_endpoints"])
    assert {"/open", "/answer", "/stop", "/keep_1", "/mix", "/round_trip", "/pack"} <= (
        named
    )
    large = tmp_path / "large.wav"
    large.write_bytes(bytes(50_500_000))
    page.set_input_files("#upload input[type=file]", files=[large])
    page.wait_for_selector("text=/[Ff]ile size|maximum|too large/", timeout=WAIT)
    page.click("#trip")
    page.wait_for_selector("text=Your recording, through the codec", timeout=WAIT)
    page.click("#silence")
    has(page, "#about", "silence: 8.0 s")


def test_twelve_sessions_have_eight_places(server):
    """The first eight go on, the others are told why not; a closed page frees a place."""
    client = Client(server[0])
    users = [f"user {k}".replace(" ", "-") for k in range(12)]
    silence = [0, False, *CONTROLS]
    held = [client.hold_page(user) for user in users]
    found = [client.event("silence", silence, user) for user in users]
    assert [kind for kind, _ in found] == ["complete"] * 8 + ["error"] * 4
    assert all("8 recordings are open" in text for _, text in found[8:])
    mixes = [client.event("mix", [[], []], user)[0] for user in users]
    assert mixes == ["complete"] * 8 + ["error"] * 4
    held[0].close()
    deadline = time.monotonic() + 30
    while client.event("silence", silence, users[8])[0] != "complete":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    for page in held:
        page.close()


def test_other_names_of_this_machine_are_refused(server):
    client = Client(server[0])
    assert client.request("GET", "/config", Host="evil.example")[0] == 403
    assert client.request("GET", "/config", Origin="http://evil.example")[0] == 403
    assert client.request("GET", "/config", Origin=f"http://localhost:{server[0]}")[
        0
    ] == (200)


def test_the_page_is_on_this_machine_alone(server):
    """The kernel's table of listening sockets: 127.0.0.1 and no other address."""
    port = server[0]
    listening = []
    for name in ("tcp", "tcp6"):
        table = pathlib.Path("/proc/net", name)
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and int(address.rpartition(":")[2], 16) == port:
                listening.append(address.partition(":")[0])
    if not listening:
        pytest.skip("no table of sockets on this system")
    assert listening == ["0100007F"]
