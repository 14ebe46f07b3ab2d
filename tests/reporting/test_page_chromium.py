"""The page in a real browser, without network: drawn, quiet, and narrow enough for a phone."""

import base64
import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest

from frostline.reporting.page import Conclusion, Page
from frostline.reporting.render import render_page
from frostline.reporting.report_folder import write_folder
from frostline.stats.rules import Rules

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
ANSWER_S = 60
PAPER_PX = 703  # A4 within margins of 12 mm


class Tab:
    """One tab, spoken to over a pipe in the browser's own protocol."""

    def __init__(self, to_browser, from_browser):
        self._out, self._in, self._rest = to_browser, from_browser, b""
        self._last, self.events, self._session = 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for part in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{part}.enable")

    def call(self, method, **params):
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, expression):
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, path, *, width, height=900, dark=False, figures=True):
        """Open a page from disk and wait until its figures are drawn, or it is loaded."""
        self.events.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        end = time.monotonic() + ANSWER_S
        ready = "document.documentElement?.dataset.figures === 'drawn'"
        if not figures:
            ready = f"location.href === '{path.as_uri()}' && document.readyState === 'complete'"
        while not self.evaluate(ready):
            assert time.monotonic() < end, f"not drawn; {self.complaints()}"
            time.sleep(0.1)

    def complaints(self):
        """Console messages, uncaught errors and requests that are not the page itself."""
        found = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}:
                found.append(str(params["args"]))
            elif method == "Runtime.exceptionThrown":
                found.append(str(params["exceptionDetails"]))
            elif method == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
                found.append(params["entry"]["text"])
            elif method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith(("file://", "data:", "blob:")):
                    found.append(f"asked the network for {url}")
        return found

    def screenshot(self, path, *, full=False):
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _read(self):
        while b"\0" not in self._rest:
            chunk = os.read(self._in, 1 << 16)
            assert chunk, "the browser has ended"
            self._rest += chunk
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


@contextmanager
def open_browser(profile):
    """A headless Chromium with a new profile."""
    reads, writes = os.pipe(), os.pipe()  # browser reads fd 3 and writes fd 4

    def wire():
        # The numbers 3 and 4 may be taken by the other ends: first out of the way.
        a, b = os.dup(reads[0]), os.dup(writes[1])
        a, b = (os.dup2(a, 50), os.dup2(b, 51))
        os.dup2(a, 3)
        os.dup2(b, 4)

    process = subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}"],
        preexec_fn=wire,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(reads[0])
    os.close(writes[1])
    try:
        yield Tab(reads[1], writes[0])
    finally:
        process.terminate()
        process.wait(20)
        os.close(reads[1])
        os.close(writes[0])


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with open_browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module")
def page(sweeps, tmp_path_factory):
    records, source = sweeps.depth()
    out = tmp_path_factory.mktemp("report")
    return write_folder(records, source, Rules("f1_macro", 0.95, 0.005, 40), out, title="T").page


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_the_page_is_drawn_and_fits(tab, page, width, dark):
    tab.open(page, width=width, dark=dark)
    assert tab.complaints() == []
    n_plots = tab.evaluate("document.querySelectorAll('.plot').length")
    assert n_plots == 8
    drawn = tab.evaluate(
        "[...document.querySelectorAll('.plot')].map(box => box.querySelectorAll("
        "'.scatterlayer .trace path, .heatmaplayer image').length)"
    )
    assert all(count > 0 for count in drawn), drawn
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('.plot svg')].map(s => s.getBoundingClientRect().right)"
    assert max(tab.evaluate(wide)) <= width
    ink = tab.evaluate("document.querySelector('.plot .xtick text').style.fill")
    assert ink == ("rgb(230, 234, 238)" if dark else "rgb(27, 31, 36)")


def test_marks_on_axes_are_whole_and_few(tab, page):
    tab.open(page, width=390)
    marks = tab.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.plot')].map(box => [box.id, "
        "[...box.querySelectorAll('.xaxislayer-above .xtick text')].map(t => t.textContent)]))"
    )
    assert marks["figure-curves"] == marks["figure-losses"] == ["1", "2", "3", "4", "5", "6"]
    by_cost = [texts for name, texts in marks.items() if name.startswith("figure-cost")]
    assert ["2", "5", "10", "20", "50"] in by_cost
    assert ["10k", "100k", "1M", "10M"] in by_cost


def test_paper_is_not_left(tab, page):
    tab.open(page, width=PAPER_PX)
    # A name that cannot be broken, such as that of a weights file, makes a table wide.
    tab.evaluate("document.querySelector('#leaderboard td').textContent = 'x'.repeat(150)")
    tab.call("Emulation.setEmulatedMedia", media="print")
    tab.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    right = "[...document.querySelectorAll('{}')].map(b => b.getBoundingClientRect().right)"
    for what in ("table", ".plot svg", "p"):
        assert max(tab.evaluate(right.format(what))) <= PAPER_PX
    zoomed = "[...document.querySelectorAll('table')].filter(t => t.style.zoom).map(t => t.id)"
    assert tab.evaluate(zoomed) == ["leaderboard"]
    tab.evaluate("window.dispatchEvent(new Event('afterprint'))")
    tab.call("Emulation.setEmulatedMedia", media="")
    assert tab.evaluate(zoomed) == []


def test_a_command_is_copied_as_it_is_typed(tab, tmp_path):
    typed = "python -m src.train -m backbone=resnet50 'data.path=my  photos' seed=0,1"
    conclusion = Conclusion("H", [("Run next", f"Type:\n{typed}")])
    file = tmp_path / "page.html"
    file.write_text(render_page(Page("T", "now", conclusion, [], drawn=False)))
    tab.open(file, width=390, figures=False)
    tab.evaluate(
        "window.typed = []; navigator.clipboard.writeText = async (text) => typed.push(text); 0"
    )
    assert tab.evaluate("document.querySelectorAll('.command button').length") == 1
    tab.evaluate("document.querySelector('.command button').click()")
    assert tab.evaluate("typed") == [typed]
    assert tab.evaluate("document.querySelector('.said').textContent") == "The command is copied"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.complaints() == []
    # Without a clipboard the command is selected, for the keyboard.
    tab.evaluate("navigator.clipboard.writeText = async () => { throw new Error('no'); }; 0")
    tab.evaluate("document.execCommand = () => false; 0")
    tab.evaluate("document.querySelector('.command button').click()")
    assert tab.evaluate("getSelection().toString()") == typed


def test_the_page_can_be_read_without_seeing_it(tab, page):
    tab.open(page, width=1280)
    assert tab.evaluate("document.querySelector('h1').textContent") == "T on plants"
    labels = tab.evaluate("[...document.querySelectorAll('.plot')].map(b => b.ariaLabel.length)")
    assert min(labels) > 60
    unlabelled = "document.querySelectorAll('section:not([aria-labelledby])').length"
    assert tab.evaluate(unlabelled) == 0
    assert tab.evaluate("document.querySelectorAll('table:not(:has(caption))').length") == 0
    reachable = "[...document.querySelectorAll('.scroll')].every(box => box.tabIndex === 0)"
    assert tab.evaluate(reachable)
    # Every figure is followed by its numbers.
    assert tab.evaluate("document.querySelectorAll('figure:not(:has(details table))').length") == 0
