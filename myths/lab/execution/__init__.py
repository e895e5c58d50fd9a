"""Run trials: which, in what order, in which process, and what is left to do."""
