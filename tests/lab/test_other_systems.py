"""The suite imports, locks, measures and runs trials on systems that lack what only POSIX has."""

import subprocess
import sys

WITHOUT_POSIX = """
if __name__ == "__main__":  # a process that Windows starts imports this file again
    import asyncio, importlib, multiprocessing, os, pkgutil, signal, subprocess, sys, types
    import jaxtyping, matplotlib.pyplot, pandas, rich.console, sacrebleu, skimage.feature, sklearn.svm, torch, torchvision, typer

    # From here on, after the libraries, what Windows lacks is absent.
    for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty"):
        sys.modules[name] = None  # importing it raises ImportError
    sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, locking=lambda *arguments: print("locked", *arguments[1:]))
    multiprocessing.get_all_start_methods = lambda: ["spawn"]
    del os.sysconf, os.fork, os.killpg
    killed = signal.__dict__.pop("SIGKILL")

    import myths
    for module in pkgutil.walk_packages(myths.__path__, "myths."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    from pathlib import Path
    from myths.lab.execution.resources import free_bytes
    from myths.hessian_cost.trials import TimeHessian
    from myths.lab.execution import executors, worker_pool
    from myths.lab.measurement import memory
    from myths.lab.storage.run_folder import RunFolder
    from myths.lab.trial import Context

    def unknown(line):
        raise OSError("there is no /proc")

    on_windows = types.SimpleNamespace(**vars(signal))
    signal.SIGKILL = killed  # the standard library's own way to end a worker needs it here
    executors.signal = worker_pool.signal = on_windows
    memory._resident = unknown
    assert memory.peak_memory("cpu") == 0
    assert free_bytes("cpu") > 0
    with RunFolder(Path(sys.argv[1])).locked():
        pass
    trial = TimeHessian.test_instance()
    assert trial.memory_limit_bytes is not None
    execution = executors.execute(trial, Context(trial))
    assert execution.error is None, execution.error
    print(len(execution.outcome.rows), "rows")
"""


def test_the_suite_imports_and_runs_where_posix_is_lacking(tmp_path):
    script = tmp_path / "without_posix.py"
    script.write_text(WITHOUT_POSIX, encoding="utf-8")
    done = subprocess.run([sys.executable, script, tmp_path / "run"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "locked 2 1" in done.stdout
    assert "rows" in done.stdout
