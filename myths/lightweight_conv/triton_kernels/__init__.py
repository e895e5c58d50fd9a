"""Convolutions in Triton: values and first-order gradients, without unfolding the input in memory.

``banded_lightweight`` and ``banded_dynamic`` multiply band matrices on the matrix units of a GPU. ``taps`` computes any convolution one tap
at a time: depthwise ones, float64, and kernels that are longer than a band.

``TRITON_INTERPRET=1`` runs the kernels on a CPU, slowly. Tests use it on machines without a GPU. The annotations of the kernels are
for Triton's compiler and not types. ``no_type_check`` excludes the kernels from run-time type checks, because the compiler cannot read
their wrappers.
"""
