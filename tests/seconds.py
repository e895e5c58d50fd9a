"""Prints how many seconds the tests took, with `--seconds-by-folder`: the budget of continuous integration, and the long files."""

from collections import Counter
from pathlib import PurePosixPath

LONG = 10
"""Seconds from which a file is listed by itself and belongs into ``FIRST`` of ``scheduling.py``."""


def pytest_addoption(parser):
    parser.addoption("--seconds-by-folder", action="store_true", help="print the seconds of each folder and of long files")


def folder(nodeid):
    """Return the folder of a test; files directly in tests/ count by themselves."""
    path = PurePosixPath(file(nodeid))
    return str(path.parent if len(path.parts) > 2 else path)


def file(nodeid):
    return nodeid.split("::")[0]


def added(reports, by):
    """Return the seconds of set-up, call and tear-down by folder or file, the largest first."""
    seconds = Counter()
    for report in reports:
        seconds[by(report.nodeid)] += report.duration
    return seconds.most_common()


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("--seconds-by-folder"):
        reports = [r for reports in terminalreporter.stats.values() for r in reports if hasattr(r, "duration")]
        found = added(reports, folder)
        terminalreporter.section("seconds by folder")
        for name, seconds in found:
            terminalreporter.write_line(f"| {name} | {seconds:.0f} |")
        terminalreporter.write_line(f"| all, over all workers | {sum(seconds for _, seconds in found):.0f} |")
        terminalreporter.section(f"files of {LONG} seconds and more")
        for name, seconds in added(reports, file):
            if seconds >= LONG:
                terminalreporter.write_line(f"{seconds:6.0f} {name}")
