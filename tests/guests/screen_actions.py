"""Working a guest through its keyboard and its text screen: the actions that qemu-screen and btvm-screen share.

A guest is an object with screen() -> 25 lines, type(text) and press(names); each of the two programs has its own kind.
"""

import pathlib
import time

ACTIONS = """\
  wait-for TEXT   until TEXT stands on the screen
  wait-line TEXT  until a whole line, without blanks around it, is TEXT
  wait-last TEXT  until the last line that is not blank is TEXT: a prompt, for example
  wait-only TEXT  until TEXT is the only line on the screen that is not blank
  wait-end        until the machine has ended by itself: when it is powered off
  settle          until the screen has not changed for half a second, or more on a busy machine
  type TEXT       press the keys of a US keyboard that give TEXT; \\n is Enter, \\t Tab, \\e Escape
  key NAMES       press the named keys at once, e.g. ctrl-alt-delete
  sleep S         wait that many seconds
  screen          print the 80 by 25 characters, blanks at the ends of lines left out
  capture NAME    keep the screen under that name (--captures says where)"""

TAKES_OPERAND = ("wait-for", "wait-line", "wait-last", "wait-only", "type", "key", "sleep", "capture")
SETTLED_SECONDS = 0.5
SETTLED_LOOKS = 6


def texts(lines):
    """The lines that are not blank, without the blanks around them."""
    return [line.strip() for line in lines if line.strip()]


WAITS = {
    "wait-for": ("text", lambda text, lines: any(text in line for line in lines)),
    "wait-line": ("line", lambda text, lines: text in texts(lines)),
    "wait-last": ("last line", lambda text, lines: texts(lines)[-1:] == [text]),
    "wait-only": ("screen with only", lambda text, lines: texts(lines) == [text]),
}


class Missed(Exception):
    """A text did not come in time."""


class Ended(Exception):
    """The machine has ended."""


class Mistake(Exception):
    """The call makes no sense, or the machine refuses it."""


def wait(look, done, what, limit, pause=time.sleep):
    """Looks at the screen until done(lines) holds. Where looking takes long, the guest gets more time in between: at least
    so many seconds as `pause` is told."""
    begin = time.monotonic()
    while True:
        looked = time.monotonic()
        if done(lines := look()):
            return
        now = time.monotonic()
        if now > begin + limit:
            raise Missed(f"no {what} within {limit:g} s; the screen:\n" + "\n".join(lines))
        pause(min(1, max(0.1, 4 * (now - looked))))


def wait_end(guest, limit):
    try:
        wait(guest.screen, lambda _: False, "end of the machine", limit)
    except Ended:
        pass


def settle(guest, limit):
    """Until the screen stands still: longer where looking takes long, since the guest gets as little of the machine."""
    last, since, slowest = None, 0, 0
    looked = time.monotonic()

    def still(lines):
        nonlocal last, since, slowest, looked
        now = time.monotonic()
        slowest = max(slowest, now - looked)
        if lines != last:
            last, since = lines, now
        return now - since >= max(SETTLED_SECONDS, SETTLED_LOOKS * slowest)

    def look():
        nonlocal looked
        looked = time.monotonic()
        return guest.screen()

    wait(look, still, "screen that stands still", limit)


def unescape(text):
    return text.replace("\\n", "\n").replace("\\t", "\t").replace("\\e", "\x1b")


def perform(guest, actions, limit, captures=None):
    """Does the actions in order; limit is the longest wait in seconds, captures a folder.

    The machine may already end while the keys are pressed that make it, if wait-end comes next."""
    actions = iter(actions)
    try:
        for action in actions:
            perform_one(guest, action, actions, limit, captures)
    except Ended:
        if next(actions, None) != "wait-end":
            raise


def perform_one(guest, action, rest, limit, captures):
    """One action; its operand is taken from the rest."""
    if action == "screen":
        print("\n".join(guest.screen()), flush=True)
        return
    if action == "wait-end":
        wait_end(guest, limit)
        return
    if action == "settle":
        settle(guest, limit)
        return
    operand = next(rest, None)
    if operand is None or action not in TAKES_OPERAND:
        raise Mistake(f"what is {action!r}, or what does it apply to? (--help)")
    if action in WAITS:
        description, holds = WAITS[action]
        pause = guest.pause_for(operand) if hasattr(guest, "pause_for") else time.sleep
        wait(guest.screen, lambda lines: holds(operand, lines), f"{description} {operand!r}", limit, pause)
    elif action == "type":
        guest.type(unescape(operand))
    elif action == "key":
        guest.press(operand.split("-"))
    elif action == "sleep":
        time.sleep(float(operand))
    else:
        if not captures:
            raise Mistake("capture needs --captures FOLDER")
        pathlib.Path(captures).mkdir(parents=True, exist_ok=True)
        (pathlib.Path(captures) / operand).write_text("\n".join(guest.screen()) + "\n")
