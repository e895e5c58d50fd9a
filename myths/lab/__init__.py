"""What every myth uses; knows no myth. In the order in which a result comes about:

============  ======================================================================================================================
trial         ``Trial``: a frozen dataclass whose fields are its identity; ``run(context) -> Outcome`` (rows, arrays). ``Context``:
              device, random streams by name, outcomes of the trials it depends on.
myth          ``Myth``: the belief and its parts (trials, tables, claims, figures, pictures); ``Paper``; ``PROFILES``.
session       ``run(request)``: one invocation, from the plan to the tables; ``plans(request)``: what it would do.
selection     Which planned trials a claim needs; which claims and trials a request names.
runner        ``plan`` and ``run_queue``: each trial once, resume, retry, budget.
queue         ``Queue``: the order of trials: primary claims first, a chain at a time.
executors     ``execute(trial, context) -> Execution``: in this process, or in one with a memory limit. ``SerialExecutor``.
worker_pool   ``WorkerPool(max_workers)``: several trials at once where nothing is timed.
store         ``Store``: finished trials on disk; ``Results.frame(TrialClass, column=function)``: their rows as a table.
run_folder    ``RunFolder``: the stores of one run with ``run.json`` and a lock.
provenance    what machine, which software, which commit.
estimate      ``Estimate`` and its intervals: ``exact``, ``clopper_pearson``, ``student_t``, ``fisher_z``, ``bootstrap``, …
measures      ``mean_over_seeds``, ``paired_difference``, ``from_columns``, …: what several myths measure, from rows to an estimate.
claim         ``Claim``, ``Criterion`` (``at_least``, ``between``, …), ``evaluate_claims``: rows to verdicts.
analysis      ``analyze(myth, run)``: tables and claim_results from stored rows; ``write``: the files beside them.
publish       ``publish``: what may leave the machine, from a clean commit.
pictures      ``draw``: what shows images of data sets, so that it stays on the machine.
try_trial     ``run``: one trial by ``key=value`` words, stored nowhere; its rows and pictures.
device        choice of device, precision, out-of-memory.
timing        ``Stopwatch``, ``compare_timings``: warm-up, synchronize, interleave, median and quartiles.
energy        ``EnergyMeter``: what a GPU takes, by its sampled power.
memory        ``peak_bytes``: what a call takes.
errors        ``UsageError``, ``CannotStart``: a sentence and an exit status.
data/         prepared data sets: catalog, download, checks, own data.
vision/       networks, augmentation, the training loop, ``TrainClassifier``, HOG.
language/     subwords, a transformer, training, beam search, BLEU.
report/       pages, scoreboard, the style of figures.
============  ======================================================================================================================
"""
