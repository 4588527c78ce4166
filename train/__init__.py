"""Scripts, one job a file, run from the checkout: `python -m train.noise_flow --help`."""

import os

# A training step allocates and frees the same large tensors again and again. Through the C
# library's allocator that is half of a step's time on 2 cores (200,000 page faults a step); the
# pool that TensorFlow uses on GPUs keeps them. TensorFlow reads this when it first allocates.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
# NVIDIA's newer GPUs would round the inputs of float32 convolutions to 10 bits, and a flow's round
# trip with them.
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
