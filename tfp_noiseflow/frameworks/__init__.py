"""Noise for models of other frameworks: `keras3` for Keras 3, `pytorch` for PyTorch.

Neither is imported until its module is: the library itself needs `tf_keras` alone.
"""
