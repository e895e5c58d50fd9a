"""Errors that a user can cause, with the exit status of the command. (0: success, 1: a trial failed.)"""


class MythsError(Exception):
    """An error that is printed as one line, without a traceback: what is wrong and how to fix it."""

    exit_status = 1


class UsageError(MythsError):
    """An unknown myth, trial, profile or setting, or an invalid value."""

    exit_status = 2


class CannotStart(MythsError):
    """A required dataset, folder or device is not available or not valid."""

    exit_status = 3
