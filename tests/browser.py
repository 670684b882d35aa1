"""A headless Chromium, driven over its DevTools pipe: what the site's tests need, and no more."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One window. Since `open`, `errors` has its complaints, `requests` what it asked for."""

    def __init__(self, profile: Path):
        down, self.write = os.pipe()
        self.read, up = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4.
        plumbing = f'exec "$0" "$@" 3<&{down} 4>&{up}'
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        options += ["--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"]
        options += [f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", plumbing, CHROMIUM, *options],
            pass_fds=(down, up),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(down)
        os.close(up)
        self.last, self.rest, self.session, self.loaded = 0, b"", None, False
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters) -> dict:
        """A command's answer; events that come meanwhile are noted."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def receive(self, seconds: float = 20) -> dict:
        while b"\0" not in self.rest:
            if not select.select([self.read], [], [], seconds)[0]:
                raise TimeoutError("Chromium does not answer")
            if not (data := os.read(self.read, 1 << 16)):
                raise RuntimeError("Chromium has ended")
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\0")
        message = json.loads(line)
        event, values = message.get("method"), message.get("params", {})
        if event == "Page.loadEventFired":
            self.loaded = True
        elif event == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif event == "Network.loadingFailed" and not values.get("canceled"):
            self.errors.append(values["errorText"])
        elif event == "Runtime.exceptionThrown":
            details = values["exceptionDetails"]
            self.errors.append(details.get("exception", details).get("description", str(details)))
        elif event == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning"):
            self.errors.append(str([argument.get("value") for argument in values["args"]]))
        elif event == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.errors.append(values["entry"]["text"])
        return message

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is loaded, with its frames."""
        self.errors, self.requests, self.loaded = [], [], False
        if failed := self.send("Page.navigate", url=url).get("errorText"):
            raise RuntimeError(f"{url}: {failed}")
        while not self.loaded:
            self.receive()

    def run(self, script: str):
        """The value of a piece of JavaScript, awaited if it is a promise."""
        options = {"awaitPromise": True, "returnByValue": True}
        answer = self.send("Runtime.evaluate", expression=script, **options)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def until(self, script: str, seconds: float = 5):
        """Wait until a piece of JavaScript gives something true; what it gave last."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)) and time.monotonic() < end:
            time.sleep(0.03)
        return value

    def window(self, width: int, height: int, dark: bool = False) -> None:
        """Size and colours; a narrow window is a phone's."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def key(self, key: str) -> None:
        codes = {"Escape": 27, "Tab": 9, "Enter": 13, "ArrowDown": 40}
        values = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        values |= {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **values)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)

    def picture(self, file: Path) -> None:
        data = self.send("Page.captureScreenshot", format="png")["data"]
        file.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        os.close(self.write)
        self.process.terminate()
        self.process.wait(10)
        os.close(self.read)
