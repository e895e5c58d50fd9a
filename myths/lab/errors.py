"""The errors a user can cause, each with the exit status it ends the command with (0 done, 1 a trial failed)."""


class MythsError(Exception):
    """Shown to the user as one line that says what is wrong and what to do; never as a traceback."""

    exit_status = 1


class UsageError(MythsError):
    """Unknown myth, trial, profile, setting or value."""

    exit_status = 2


class CannotStart(MythsError):
    """A data set, a folder or a device that the run needs is not as it must be."""

    exit_status = 3
