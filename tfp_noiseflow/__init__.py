"""Noise of real cameras as TensorFlow Probability distributions: Noise Flow and its baselines.

A noise model maps the conditions of a capture (the clean image, its ISO, its camera) to a
distribution over the noise:

```python
import tfp_noiseflow as nf

flow = nf.load_model("phones")
noise = flow(clean, iso=800, camera="Pixel")
noise.sample(seed=(0, 1))
```

`__init__.pyi` lists what is public: `nf.__all__`. Each name is imported when it is first used, so
that commands tell mistakes without waiting for TensorFlow. CONTRIBUTING.md says what is stable.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
