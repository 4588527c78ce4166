"""Scripts, one job a file: `python -m train.noise_flow --help`, or `noiseflow train --help`.

An installed library has them as `tfp_noiseflow.commands`, so that the name `train` stays free, and
they import each other relatively. Flags are defined and checked before TensorFlow is imported: what
needs it is imported in `main`.
"""

import os

# What TensorFlow reads from the environment when it is imported or first used. A value that is set
# already goes over these.
SETTINGS = {
    # A training step allocates and frees the same large tensors again and again. Through the C
    # library's allocator that is half of a step's time on 2 cores (200,000 page faults a step); the
    # pool that TensorFlow uses on GPUs keeps them.
    "TF_CPU_ALLOCATOR_USE_BFC": "true",
    # TensorFlow turns oneDNN's kernels on where the processor has instructions for neural networks.
    # The gradients of convolutions of few channels gain from them on any.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # NVIDIA's newer GPUs would round the inputs of float32 convolutions to 10 bits, and a flow's
    # round trip with them.
    "NVIDIA_TF32_OVERRIDE": "0",
    # Errors reach Python as exceptions. What else TensorFlow's C++ prints (which processor, no CUDA
    # driver) hides them; 0 shows all of it.
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)
