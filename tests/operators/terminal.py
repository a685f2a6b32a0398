"""`parkade top` in a real terminal, tmux's: what it shows of real parked calls, its keys, and what it leaves behind."""

import os
import shlex
import subprocess

from processes import Failure, find_program, until

# What the shell says before and after.
BEFORE, AFTER = "what stood here before", "back in the shell"
# A name that would clear the screen, name the window, write a line of its own and turn it around.
HOSTILE = "<b>Eve</b>\x1b[2J\x1b]0;owned\x07\x9b31m\u202eneve"


class Terminal:
    """A terminal of its own, in which a program runs. It ends with the story."""

    def __init__(self, tmux, folder, command, width=100, height=24):
        self.program, self.socket = tmux, os.path.join(folder, "tmux")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "/bin/sh", "-c", command)

    def tmux(self, *words):
        """Has tmux do something; what it says."""
        order = [self.program, "-u", "-S", self.socket, *words]
        ran = subprocess.run(order, capture_output=True, text=True, timeout=20)
        if ran.returncode != 0:
            raise Failure(f"tmux {' '.join(words)}: {ran.stderr.strip()}")
        return ran.stdout

    def screen(self):
        """What is to be seen, as lines."""
        return self.tmux("capture-pane", "-p").splitlines()

    def shows(self, what, *words):
        """Waits until all of these are to be seen."""
        def all_there():
            text = "\n".join(self.screen())
            return all(word in text for word in words)
        try:
            until(what, all_there, pause=0.1)
        except Failure as failure:
            raise Failure(f"{failure}; the screen:\n" + "\n".join(self.screen())) from None

    def line(self, word):
        """The line on which that stands."""
        return next((line for line in self.screen() if word in line), "")

    def press(self, *keys):
        """Presses keys by their names, or types a text."""
        self.tmux("send-keys", *keys)

    def is_so(self, name):
        """What the terminal says of itself."""
        return self.tmux("display-message", "-p", f"#{{{name}}}").strip()

    def end(self):
        """Ends it, and what runs in it."""
        subprocess.run([self.program, "-S", self.socket, "kill-server"], capture_output=True, timeout=20)


def terminal(report, scene):
    """The board in a terminal shows parked calls, steers them, and leaves the terminal as it was."""
    tmux = find_program("tmux")
    if not tmux:
        report.skipped("parkade top in a terminal", "the Debian package tmux is not installed (scripts/setup installs it)")
        return
    socket = os.path.join(scene.folder, f"{scene.name}.sock")
    top = f"{shlex.quote(scene.program)} top --socket {shlex.quote(socket)}"
    screen = Terminal(tmux, scene.folder, f"echo {BEFORE}; {top}; echo {AFTER} $?; stty -a; exec cat")
    try:
        _seeing(report, scene, screen)
        _steering(report, scene, screen)
        _leaving(report, scene, screen)
    finally:
        screen.end()


def _seeing(report, scene, screen):
    james = scene.phone("103")
    with report.step("without parked calls it says so, with the lots and the keys"):
        screen.shows("it is drawn", " Parked calls ", "no parked calls", "office", "q quit")
    with report.step("a call is there when it is parked: slot, who, by whom, the time to its recall"):
        scene.park(james, "701")
        screen.shows("Jane is there", "Jane Doe <+33176000001>")
        line = screen.line("Jane Doe")
        for word in ("701", "103", "█", "parked"):
            if word not in line:
                raise Failure(f"{word} is not on its line: {line}")
    with report.step("a hostile name gives the terminal no orders and stays on its line"):
        scene.park(james, "702", display=f'"{HOSTILE}"')
        screen.shows("both are there", "Jane Doe", "<b>Eve</b>?[2J", "q quit")
        lines = [line for line in screen.screen() if "<b>Eve" in line]
        if screen.is_so("pane_title") == "owned" or len(lines) != 1 or "702" not in lines[0] or "parked" not in lines[0]:
            raise Failure("\n".join(screen.screen()))
    with report.step("it fits the window, whatever its size becomes"):
        for width, height in ((80, 15), (120, 30), (100, 24)):
            screen.tmux("resize-window", "-x", str(width), "-y", str(height))

            def fits():
                lines = screen.screen()
                return len(lines) == height and lines[0].endswith("┐") and len(lines[0]) == width and "q quit" in lines[-1]
            until(f"it fills {width} by {height}", fits, pause=0.1)
            screen.shows("the calls are there", "701", "702")


def _steering(report, scene, screen):
    with report.step("arrows choose, m moves the call to the slot that is typed"):
        screen.press("Down")
        screen.press("m")
        screen.shows("it asks", "Move to which slot?")
        screen.press("7099")
        screen.press("BSpace", "Enter")
        screen.shows("it is done", "done")
        until("the hostile one is there", lambda: scene.parked() == ["701", "709"])
        screen.shows("it is shown there", "709")
    with report.step("what is refused is said in words, and changes nothing"):
        screen.press("m")
        screen.press("999x", "Enter")
        screen.shows("it is refused", "999x")
        if scene.parked() != ["701", "709"]:
            raise Failure(f"parked at {scene.parked()}")
    with report.step("r recalls the call, and its line says who rings"):
        james = next(party for party in scene.parties if party.name == "103")
        james.answers = False
        screen.press("Up")
        screen.press("r")
        until("103 is rung", lambda: "Jane" in (james.rung or [""])[-1])
        screen.shows("who rings", "recalling 103")
    with report.step("x hangs up only when yes is typed"):
        screen.press("Down")
        screen.press("x")
        screen.press("no", "Enter")
        screen.shows("nothing is done", "not hung up")
        screen.press("x")
        screen.press("yes", "Enter")
        until("the hostile one has gone", lambda: scene.parked() == ["701"])


def _leaving(report, scene, screen):
    with report.step("while the program is away it says so, and is right again when it is back"):
        scene.parkade.stop()
        screen.shows("it has noticed", "Parkade does not answer")
        scene.start()
        screen.shows("it is back", "no parked calls", " Parkade ")
    with report.step("q gives the terminal back as it was"):
        if screen.is_so("alternate_on") != "1":
            raise Failure("it has drawn over what stood there")
        screen.press("q")
        screen.shows("the shell goes on", f"{AFTER} 0", BEFORE)
        modes = " ".join(screen.screen()).split()
        if "icanon" not in modes or "echo" not in modes or screen.is_so("cursor_flag") != "1" or screen.is_so("alternate_on") != "0":
            raise Failure("\n".join(screen.screen()))
