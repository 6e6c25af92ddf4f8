"""A real Chromium without a window, driven through its DevTools protocol over two pipes."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # which root, in a container, cannot have
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
TIMEOUT_S = 60.0


def executable() -> str:
    """Where Chromium is; raises FileNotFoundError if it is nowhere."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise FileNotFoundError(f"none of {', '.join(NAMES)}: apt-get install chromium")
    return found


class Chromium:
    """The browser process; a context manager."""

    def __init__(self, profile: Path) -> None:
        commands, self._to = os.pipe()
        self._from, answers = os.pipe()
        commands, answers = _above(commands), _above(answers)

        def put_where_chromium_looks() -> None:
            os.dup2(commands, 3)
            os.dup2(answers, 4)

        self._process = subprocess.Popen(
            [executable(), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(3, 4),
            preexec_fn=put_where_chromium_looks,
            start_new_session=True,
        )
        os.close(commands)
        os.close(answers)
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def page(self) -> Page:
        """A new tab whose requests, dialogs, errors and messages are recorded."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, target)

    def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """What the browser answers to one command; raises RuntimeError for an error."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def receive(self) -> dict[str, Any]:
        """The next message; events are kept, too."""
        deadline = time.monotonic() + TIMEOUT_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], deadline - time.monotonic())
            data = os.read(self._from, 1 << 20) if ready else b""
            if not data:
                raise TimeoutError("Chromium does not answer")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message


class Page:
    """One tab."""

    def __init__(self, browser: Chromium, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command to this tab."""
        return self._browser.send(method, self._session, **parameters)

    def close(self) -> None:
        """Close the tab."""
        self._browser.send("Target.closeTarget", targetId=self._target)

    def open(self, path: Path, *, with_scripts: bool = True) -> None:
        """Show a file, and wait until it is loaded and drawn."""
        self.send("Emulation.setScriptExecutionDisabled", value=not with_scripts)
        self.send("Page.navigate", url=path.absolute().as_uri())
        while not self.events("Page.loadEventFired"):
            self._browser.receive()
        if with_scripts:
            self.settle()

    def settle(self) -> None:
        """Let the page draw what is due."""
        self.do("await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")

    def do(self, script: str) -> Any:
        """Run statements and give what they `return`, as JSON would hold it."""
        answer = self.send(
            "Runtime.evaluate",
            expression=f"(async () => {{ {script} }})()",
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def events(self, method: str) -> list[dict[str, Any]]:
        """The parameters of all events of a kind in this tab so far."""
        return [
            each["params"]
            for each in self._browser.events
            if each["method"] == method and each.get("sessionId") == self._session
        ]

    @property
    def requested(self) -> list[str]:
        """The address of everything that the tab asked for."""
        return [each["request"]["url"] for each in self.events("Network.requestWillBeSent")]

    @property
    def complaints(self) -> list[str]:
        """Errors of scripts, and what the browser refused or warned of."""
        thrown = [str(each["exceptionDetails"]) for each in self.events("Runtime.exceptionThrown")]
        logged = [each["entry"]["text"] for each in self.events("Log.entryAdded")]
        said = [str(each["args"]) for each in self.events("Runtime.consoleAPICalled")]
        return thrown + logged + said

    def resize(self, width: int, height: int = 900, *, scale: float = 1) -> None:
        """Be as wide as a phone or a desktop."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        self.settle()

    def prefer(self, **features: str) -> None:
        """Media features, `_` for `-`: `prefers_color_scheme="dark"`."""
        found = [{"name": key.replace("_", "-"), "value": v} for key, v in features.items()]
        self.send("Emulation.setEmulatedMedia", features=found)
        self.settle()

    def go_offline(self) -> None:
        """Cut the network."""
        self.send(
            "Network.emulateNetworkConditions",
            offline=True,
            latency=0,
            downloadThroughput=0,
            uploadThroughput=0,
        )

    def move_to(self, x: float, y: float) -> None:
        """Put the pointer somewhere."""
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.settle()

    def middle_of(self, selector: str) -> tuple[float, float]:
        """Where the middle of an element is, once it has been scrolled into view."""
        x, y = self.do(
            f"const found = document.querySelector({json.dumps(selector)});"
            "found.scrollIntoView({block: 'center'});"
            "const box = found.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2];"
        )
        return x, y

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements that are shown."""
        found: list[str] = self.do(
            f"return [...document.querySelectorAll({json.dumps(selector)})]"
            ".filter((each) => each.checkVisibility()).map((each) => each.textContent.trim());"
        )
        return found

    def click(self, selector: str) -> None:
        """Click on the middle of an element, wherever it is."""
        place = self.middle_of(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent",
                type=kind,
                x=place[0],
                y=place[1],
                button="left",
                clickCount=1,
            )
        self.settle()

    def press(self, key: str, **more: Any) -> None:
        """One key: `Tab`, `Enter`, `ArrowLeft`, ` `."""
        codes: Mapping[str, tuple[int, str]] = {
            "Tab": (9, ""),
            "Enter": (13, "\r"),
            " ": (32, " "),
            "ArrowLeft": (37, ""),
            "ArrowRight": (39, ""),
            "Home": (36, ""),
        }
        code, text = codes[key]
        values = {"key": key, "code": "Space" if key == " " else key, **more}
        values["windowsVirtualKeyCode"] = code
        down = "keyDown" if text else "rawKeyDown"
        self.send("Input.dispatchKeyEvent", type=down, **values, **({"text": text} if text else {}))
        self.send("Input.dispatchKeyEvent", type="keyUp", **values)
        self.settle()

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.send("Input.insertText", text=text)
        self.settle()

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of what is seen, or of the whole page."""
        answer = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))


def _above(handle: int) -> int:
    """The same pipe under a number that does not stand in the way of 3 and 4."""
    moved = fcntl.fcntl(handle, fcntl.F_DUPFD, 10)
    os.close(handle)
    return moved
