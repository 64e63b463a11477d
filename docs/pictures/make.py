"""Make the pictures of the site anew: ``python docs/pictures/make.py``, then look at each of them.

A pseudo-terminal runs the command as a user would; a headless Chromium opens the pages of the sandbox. The chart of
speed is made by ``benchmarks/transports.py --chart``.
"""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from mettl_async.sandbox import Sandbox

HERE = Path(__file__).parent
ROWS = 40
PEOPLE = "Email Address,First Name,Team\n" + "".join(
    f"c{n}@example.org,Candidate {n},{'North' if n % 2 else 'South'}\n" for n in range(4000)
)


def picture(screen: pyte.Screen, columns: int) -> Text:
    """Turn the cells of a terminal into text with its colours."""
    text = Text()
    last = max((row for row in range(ROWS) if screen.display[row].strip()), default=0)
    for row in range(last + 1):
        for column in range(columns):
            cell = screen.buffer[row][column]
            colour = None if cell.fg == "default" else cell.fg
            if colour and len(colour) == 6 and set(colour) <= set("0123456789abcdef"):  # noqa: PLR2004
                colour = f"#{colour}"
            text.append(
                cell.data, Style(color=None if colour is None else _name(colour), bold=cell.bold)
            )
        text.append("\n")
    return text


def _name(colour: str) -> str:
    return {"brown": "yellow"}.get(colour, colour.replace("bright", "bright_"))


def terminal(
    name: str,
    arguments: list[str],
    *,
    columns: int = 90,
    answers: str = "",
    ready: Callable[[str], bool] = lambda _: False,
) -> None:
    """Run the command on a terminal until it ends or its screen is ready, and save what it shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    env.pop("CI", None)
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "mettl_async", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    screen = pyte.Screen(columns, ROWS)
    stream = pyte.ByteStream(screen)
    waiting = list(answers)
    while True:
        try:
            chunk = os.read(ours, 65_536)
        except OSError:  # how a pseudo-terminal says that the other side is gone
            break
        if not chunk:
            break
        stream.feed(chunk)
        shown = "\n".join(screen.display)
        if "[y/N]" in shown and waiting:
            os.write(ours, f"{waiting.pop()}\n".encode())
        if ready(shown):
            break
    console = Console(record=True, width=columns, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(Text(f"$ mettl {' '.join(arguments)}", "bold"))
    console.print(picture(screen, columns), end="")
    drawn = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="mettl"), flags=re.DOTALL)
    (HERE / f"{name}.svg").write_text(drawn, encoding="utf-8")  # without fonts from elsewhere
    process.terminate()
    process.wait()
    os.close(ours)


def pages() -> None:
    """Save the page of a candidate and the page of the sandbox's administrator."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1000,700"):
        options.add_argument(argument)
    service = Service(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        with Sandbox().serve_in_thread() as server:
            for name, path in (("sandbox-admin", "/admin"),):
                driver.get(f"{server.base_url}{path}")
                time.sleep(0.5)  # for its fonts and figures
                driver.save_screenshot(str(HERE / f"{name}.png"))
    finally:
        driver.quit()


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("people.csv").write_text(PEOPLE, encoding="utf-8")
        terminal("preview", ["register", "people.csv", "--dry-run"])
        terminal(
            "progress",
            ["register", "people.csv", "--sandbox"],
            ready=lambda shown: " 2," in shown,  # of 4,000: in the middle
        )
        Path("links.csv").unlink(missing_ok=True)
        Path("links.csv.journal").unlink(missing_ok=True)
        terminal(
            "summary",
            ["register", "people.csv", "--sandbox", "--overwrite"],
            ready=lambda shown: "Press Enter" in shown,
        )
        Path("mixed.csv").write_bytes(
            "Email Address,First Name\nzoe@example.org,Zoë\n".encode("cp1252")
        )
        terminal(
            "question", ["register", "mixed.csv", "--dry-run"], ready=lambda shown: "Which" in shown
        )
        os.chdir(HERE)
    pages()


if __name__ == "__main__":
    main()
