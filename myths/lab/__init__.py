"""The shared library of all myths; it depends on no myth. Modules in the order in which a result is produced:

==================  ================================================================================================================
trial               ``Trial``: a frozen dataclass whose fields are its identity; ``run(context) -> Outcome`` (rows, arrays).
                    ``Context``: device, random streams, outcomes of the dependencies.
setting             Valid values and meanings of the settings of a trial.
seeds               ``starting_at``: other seeds for all trials of a run; ``seeds_of``, ``without_seeds``.
myth                ``Myth``: a belief with its trials, tables, claims, figures and pictures; ``Paper``; ``PROFILES``.
estimate            ``Estimate`` and confidence intervals: ``exact``, ``clopper_pearson``, ``student_t``, ``bootstrap``, …
measures            Functions from rows to an estimate: ``mean_over_seeds``, ``paired_difference``, ``from_columns``, …
tables              The column ``trials`` of tables: ``unite``, ``unite_columns``, ``about``.
claim               ``Claim``, ``Criterion`` (``at_least``, ``between``, …), ``evaluate_claims``.
claim_definition    ``definition``: version and digest of what a claim asks, as every run records it.
claim_record        ``ClaimRecord``: a line of ``claims.csv``.
analysis            ``analyze(myth, run)``: tables and results of claims; ``write``: their files.
ranking             ``best_first``: the runs of a myth by rank; ``measured_elsewhere``: numbers that the best run lacks.
meta_analysis       ``replications``: which runs of a claim are independent, and their combined number.
pictures            ``draw``: figures that show images of datasets and stay on the machine.
failures            Failed and skipped trials as text.
skips               ``skipped_trials``: trials that a run skipped and still lacks.
counting            ``counted``: a number with its noun.
linear_svm          Linear support vector machines on any device.
home                The user's home folder.
errors              ``UsageError``, ``CannotStart``: errors with an exit status.
==================  ================================================================================================================

execution/ runs trials; it depends on storage and measurement.

==================  ================================================================================================================
session             ``run(request)``: one invocation, from the plan to the tables; ``plans(request)``: its plan.
selection           Trials that a claim needs; claims and trials that a request names.
runner              ``plan`` and ``run_queue``: run each trial once, resume, retry, time budget.
queue               ``Queue``: the order of trials; trials of primary claims come first.
executors           ``execute(trial, context) -> Execution``: in this process, or in one with a memory limit. ``SerialExecutor``.
worker_pool         ``WorkerPool(workers)``: several trials in parallel.
places              Which machine and device a trial runs on.
local_workers       Worker processes of this machine, on its cores or GPUs.
cluster             A Ray cluster and its nodes. ``cluster_workers``: processes on the nodes; ``cluster_node``: what runs in them.
outcomes            The outcomes of dependencies, in a form that travels to a worker.
interruption        Interruptions by the user, also those that a library swallows.
parent              A worker process ends with the process that started it.
resources           Free memory and cores.
continuation        Continue a published run.
try_trial           ``run``: one trial from ``key=value`` texts, without storing it.
==================  ================================================================================================================

storage/ keeps results; it depends on measurement.

==================  ================================================================================================================
store               ``Store``: finished trials on disk; ``Results.frame(TrialClass, column=function)``: their rows as a table.
run_folder          ``RunFolder``: the stores of one run with ``run.json`` and a lock.
provenance          Machine, software versions and commit.
publish             ``publish``: copy the publishable files of a run made from a clean commit.
published_arrays    Arrays that are published with a run.
submission          ``submit`` and ``verify``: archives of runs.
==================  ================================================================================================================

measurement/ depends on neither.

==================  ================================================================================================================
device              Device selection, precision, retries after GPU memory runs out.
timing              ``Stopwatch``, ``compare_timings``: warm-up, synchronization, interleaved repeats.
memory              ``peak_bytes``: peak memory of a call.
energy              ``EnergyMeter``: energy of a GPU from its sampled power.
kernels             Checks of the CPU's convolutions.
==================  ================================================================================================================

Content:

==================  ================================================================================================================
data/               Datasets: catalog, download, verification, user data.
vision/             Networks, augmentation, training, ``TrainClassifier``, HOG.
language/           Subwords, transformers, training, beam search, BLEU.
report/             Pages, scoreboard, style of figures.
==================  ================================================================================================================
"""
