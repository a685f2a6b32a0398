"""A browser, driven as W3C WebDriver says: chromium without a window, by its own driver."""

import base64
import http.client
import json
import os

from processes import Failure, Program, find_program, free_port, takes_tcp, until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {
    "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "Delete": "\ue017",
    "Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015", "Home": "\ue011", "End": "\ue010",
}


def missing():
    """The Debian package that the browser lacks, or None."""
    for program, package in (("chromium", "chromium"), ("chromedriver", "chromium-driver")):
        if not find_program(program):
            return package
    return None


class Browser:
    """One window of a browser with a profile of its own."""

    def __init__(self, folder, width=1280, height=900):
        self.port = free_port()
        # What a browser leaves behind goes with the folder.
        place = {**os.environ, "TMPDIR": folder}
        log = f"{folder}/chromedriver-{self.port}.log"
        self.driver = Program("chromedriver", [find_program("chromedriver"), f"--port={self.port}"], log, env=place)
        until("chromedriver listens", lambda: takes_tcp("127.0.0.1", self.port))
        arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--force-device-scale-factor=1", f"--window-size={width},{height}",
        ]
        options = {"args": arguments, "binary": find_program("chromium")}
        wants = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        try:
            answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wants}})
        except Failure:
            self.driver.stop()
            raise
        self.session = f"/session/{answer['sessionId']}"

    def _ask(self, method, path, body=None):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            text = None if body is None else json.dumps(body)
            link.request(method, path, text, {"Content-Type": "application/json"})
            response = link.getresponse()
            value = json.loads(response.read())["value"]
        finally:
            link.close()
        if response.status != 200:
            raise Failure(f"the browser: {value['error']}: {value['message'].splitlines()[0]}")
        return value

    def _do(self, path, body=None, method="POST"):
        return self._ask(method, self.session + path, {} if body is None and method == "POST" else body)

    def end(self):
        """Closes it, and ends the driver."""
        try:
            self._do("", method="DELETE")
        except (Failure, OSError):
            pass  # the driver takes the browser with it
        self.driver.stop()

    def open(self, url):
        """Goes there, and waits until the page is loaded."""
        self._do("/url", {"url": url})

    def url(self):
        """What the address bar shows."""
        return self._do("/url", method="GET")

    def run(self, script, *arguments):
        """Runs the body of a function in the page; what it returns."""
        return self._do("/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script, *arguments):
        """The same, where the last argument is to be called with the result."""
        return self._do("/execute/async", {"script": script, "args": list(arguments)})

    def find(self, selector):
        """The first element of that selector; it must be there."""
        return self._do("/element", {"using": "css selector", "value": selector})[ELEMENT]

    def count(self, selector):
        """How many elements of that selector there are."""
        return self.run("return document.querySelectorAll(arguments[0]).length", selector)

    def text(self, selector):
        """The text of the first of them, or None."""
        return self.run("return document.querySelector(arguments[0])?.innerText ?? null", selector)

    def click(self, selector):
        """Clicks, as a mouse does: what is covered or cannot be seen is not clicked."""
        self._do(f"/element/{self.find(selector)}/click")

    def type(self, selector, text):
        """Types into a field, in the place of what is there."""
        element = self.find(selector)
        self._do(f"/element/{element}/clear")
        self._do(f"/element/{element}/value", {"text": text})

    def names(self, selector):
        """What a screen reader would call each element of that selector that can be seen, and its beginning."""
        found = self._do("/elements", {"using": "css selector", "value": selector})
        labels = []
        for one in found:
            is_seen = "return arguments[0].checkVisibility() && arguments[0].outerHTML.slice(0, 80)"
            html = self.run(is_seen, one)
            if html:
                labels.append({"html": html, "name": self._do(f"/element/{one[ELEMENT]}/computedlabel", method="GET")})
        return labels

    def press(self, *keys):
        """Presses keys, wherever the focus is."""
        actions = []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._do("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def size(self, width, height):
        """Makes what can be seen of the page so large, as that of a device is."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)

    def prefers(self, **features):
        """What the user prefers: `color_scheme="dark"`, `reduced_motion="reduce"`."""
        wanted = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.devtools("Emulation.setEmulatedMedia", {"features": wanted})

    def devtools(self, command, parameters):
        """What WebDriver has no word for."""
        return self._do("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, path):
        """Keeps what can be seen."""
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._do("/screenshot", method="GET")))

    def complaints(self):
        """What the browser has complained of since it was last asked: errors, and what the policy has blocked."""
        log = self._do("/se/log", {"type": "browser"})
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]

    def until(self, what, script, *arguments, seconds=8.0):
        """Waits until the script returns something true, and returns that."""
        return until(what, lambda: self.run(script, *arguments), seconds)
