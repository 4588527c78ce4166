"""Trains a flow on the logical CPUs of this process: `python -m tests.training.replica_run ..`."""

import sys

import tensorflow as tf


def main(captures: str, model_dir: str, devices: str) -> None:
    # Before anything else asks TensorFlow for its devices.
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * int(devices)
    )
    import tfp_noiseflow as nf
    from tests.training.test_replicas import FLAGS
    from tfp_noiseflow.training.execution import Execution
    from tfp_noiseflow.training.replicas import strategy_of

    strategy = strategy_of("mirrored" if int(devices) > 1 else "one")
    its = nf.read_captures(captures)
    with strategy.scope():
        model = nf.NoiseFlow(FLAGS["architecture"], its.cameras, its.iso_levels, seed=0)
    schedule = nf.Schedule(epochs=FLAGS["epochs"], batch_size=FLAGS["batch_size"])
    execution = Execution(cache=FLAGS["cache"], strategy=strategy)
    nf.train_noise_model(model, its, its, model_dir, schedule, execution=execution, verbose=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
