"""Prints how many seconds the tests of each folder took, with `--seconds-by-folder`: the budget of continuous integration."""

from collections import Counter
from pathlib import PurePosixPath


def pytest_addoption(parser):
    parser.addoption("--seconds-by-folder", action="store_true", help="print the seconds that the tests of each folder took")


def by_folder(reports):
    """Seconds of set-up, call and tear-down by folder, the largest first; files directly in tests/ count by themselves."""
    seconds = Counter()
    for report in reports:
        path = PurePosixPath(report.nodeid.split("::")[0])
        seconds[str(path.parent if len(path.parts) > 2 else path)] += report.duration
    return seconds.most_common()


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("--seconds-by-folder"):
        found = by_folder(r for reports in terminalreporter.stats.values() for r in reports if hasattr(r, "duration"))
        terminalreporter.section("seconds by folder")
        for folder, seconds in found:
            terminalreporter.write_line(f"| {folder} | {seconds:.0f} |")
        terminalreporter.write_line(f"| all, over all workers | {sum(seconds for _, seconds in found):.0f} |")
