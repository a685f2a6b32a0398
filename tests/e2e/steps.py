"""The report: one line for each step of a story."""

import contextlib
import time

from processes import Failure


class Report:
    """Counts the steps and prints them as they end."""

    def __init__(self, folder):
        self.folder = folder
        self.passes = 0
        self.failures = 0
        self.skips = 0

    def failed(self, step, why):
        """Notes a step that did not come true."""
        self.failures += 1
        print(f"FAILED {step}: {why}", flush=True)

    def skipped(self, story, why):
        """Notes a story that cannot be played on this machine."""
        self.skips += 1
        print(f"SKIPPED {story}: {why}", flush=True)

    @contextlib.contextmanager
    def story(self, name, scene):
        """Runs the body, whose steps belong together; the first that fails ends it. Ends the scene's programs always."""
        print(f"-- {name}", flush=True)
        try:
            yield
        except Failure as failure:
            self.failed(self.step_name, failure)
            scene.print_logs()
        except Exception as error:  # what the test itself has got wrong must not hide the stories that follow
            self.failed(getattr(self, "step_name", name), f"{type(error).__name__}: {error}")
            scene.print_logs()
        finally:
            scene.end()

    @contextlib.contextmanager
    def step(self, name):
        """One step: passes when its body ends well."""
        self.step_name = name
        start = time.monotonic()
        yield
        self.passes += 1
        print(f"ok {name} ({time.monotonic() - start:.1f} s)", flush=True)
