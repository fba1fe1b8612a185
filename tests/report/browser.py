"""A headless Chromium for the tests, spoken to over a pipe: no driver and no package is needed.

The DevTools protocol: JSON messages, each ended by a zero byte, into file descriptor 3 and out of 4.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--no-first-run", "--remote-debugging-pipe", "--window-size=1200,900",
)  # fmt: skip


def find() -> str | None:
    """Path of a browser: MARQUARDT_BROWSER, or the first found."""
    return os.environ.get("MARQUARDT_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page. ``errors`` collects what its console reports, ``requests`` every address it asks for."""

    def __init__(self, program: str) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_read, self._to = os.pipe()
        self._back, back_write = os.pipe()
        # The shell moves the pipes to where the browser looks for them.
        command = f'exec "$0" "$@" 3<&{to_read} 4>&{back_write}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", command, program, *FLAGS, f"--user-data-dir={self._profile.name}"],
            pass_fds=(to_read, back_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(back_write)
        self._buffer, self._number, self._session = b"", 0, None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(20)
        os.close(self._to)
        os.close(self._back)
        self._profile.cleanup()

    def open(self, path: Path) -> None:
        """Load a file and wait until its scripts have run."""
        self._call("Page.navigate", url=path.resolve().as_uri())
        self.wait_for("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        found = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait_for(self, condition: str, seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while not self.run(condition):
            assert time.monotonic() < until, f"after {seconds:g} s still not: {condition}"
            time.sleep(0.05)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """One of mousePressed, mouseMoved, mouseReleased at a place of the window."""
        self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def screenshot(self, path: Path, part: str | None = None) -> None:
        """The whole page as PNG, or the first element that the CSS selector `part` names."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        box = [0, 0, size["width"], size["height"]]
        if part is not None:
            found = f"document.querySelector({json.dumps(part)}).getBoundingClientRect()"
            box = self.run(f"(e => [e.x + scrollX, e.y + scrollY, e.width, e.height])({found})")
        clip = {**dict(zip(("x", "y", "width", "height"), box, strict=True)), "scale": 1}
        shot = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        data = self._call("Page.captureScreenshot", **shot)["data"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(data))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])
            self._notice(answer.get("method", ""), answer.get("params", {}))

    def _receive(self, seconds: float = 60.0) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._back], [], [], seconds)
            assert ready, f"the browser was silent for {seconds:g} s"
            piece = os.read(self._back, 1 << 20)
            assert piece, "the browser has gone"
            self._buffer += piece
        first, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(first))

    def _notice(self, event: str, told: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.errors.append(str(told["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert", "warning"):
            self.errors.append(str([a.get("value", a) for a in told["args"]]))
        elif event == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(told["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"][:200])
