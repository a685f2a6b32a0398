"""Puts a scenario together from its file and the parts that it names.

`<part name="NAME" KEY="VALUE" …/>`, on a line of its own, stands for the file parts/NAME.xml. In a
part, `{KEY}` is what was given for it, here or further out, and `{KEY|DEFAULT}` what it is otherwise.
A line that has become empty by this is left out.
"""

import pathlib
import re

SCENARIOS = pathlib.Path(__file__).resolve().parent / "scenarios"
PART = re.compile(r'^ *<part name="(\w+)"((?: \w+="[^"]*")*)/>\n', re.MULTILINE)
GIVEN = re.compile(r'(\w+)="([^"]*)"')
OPEN = re.compile(r"\{(\w+)(?:\|([^{}]*))?\}")


def compose(name, **given):
    """The whole text of the scenario, its parts filled with what is given."""
    return _with_parts((SCENARIOS / f"{name}.xml").read_text(encoding="utf-8"), given)


def compose_over_tcp(name, registers, **given):
    """The same for a phone that has one TCP connection for all.

    If it registers, it does so by that connection and waits for a cue before its scenario begins. Its
    cues must then come by the connection too, as requests that want an answer.
    """
    text = compose(name, **given)
    if registers:
        cue = '  <recv request="CUE"/>\n'
        beginning, steps = re.search(r"(.*<scenario [^>]*>\n)(.*)", text, re.DOTALL).groups()
        registration = re.search(r"<scenario [^>]*>\n(.*)</scenario>", compose("phone_registers"), re.DOTALL)[1]
        text = beginning + registration + cue + steps
        text = text.replace(cue, cue + _with_parts('<part name="says_ok"/>\n', {}))
    return text.replace("@[local_ip]:[local_port]>", "@[local_ip]:[local_port];transport=tcp>")


def _with_parts(text, outer):
    def part(found):
        given = outer | dict(GIVEN.findall(found[2]))
        lines = (SCENARIOS / "parts" / f"{found[1]}.xml").read_text(encoding="utf-8").splitlines(keepends=True)
        return _with_parts("".join(_filled(line, given) for line in lines), given)
    return PART.sub(part, text)


def _filled(line, given):
    def value(found):
        key, otherwise = found[1], found[2]
        if key not in given and otherwise is None:
            raise KeyError(f"{key} is not given in {line.strip()!r}")
        return given.get(key, otherwise)
    filled = OPEN.sub(value, line)
    return "" if line.strip() and not filled.strip() else filled
