"""Bayesian inference of a noise level function's parameters by TFP's own tools.

Simulated noise of known beta1 and beta2; the posterior is nearly normal, so that its standard
deviations are known from the Fisher information.
"""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfp_noiseflow import bijectors as nb
from tfp_noiseflow.models import NoiseDistribution

tfb, tfd = tfp.bijectors, tfp.distributions

# As of a phone at a high ISO, on dark images, where both matter.
TRUE = np.log([1e-3, 1e-5])
CLEAN = np.random.default_rng(0).uniform(0, 0.1, (4, 8, 8, 4))
# A tensor of its own is checked once, not in each graph that uses it.
GIVEN = {"clean": tf.constant(CLEAN)}
PRIOR = {"log_beta1": (-8.0, 3.0), "log_beta2": (-10.0, 3.0)}
CHAINS = 8


def f64(value):
    return tf.constant(value, tf.float64)


def layer(log_beta1, log_beta2):
    return nb.SignalDependent(log_beta1=log_beta1, log_beta2=log_beta2, dtype=tf.float64)


def noise_of(log_beta1, log_beta2):
    return NoiseDistribution(layer(log_beta1, log_beta2), GIVEN)


@pytest.fixture(scope="module")
def noise():
    return noise_of(*map(f64, TRUE)).sample(seed=(0, 1))


def prior(name):
    return tfd.Normal(*map(f64, PRIOR[name]))


def precision():
    """Of the posterior: the Fisher information of the pixels and that of the priors."""
    beta1, beta2 = np.exp(TRUE)
    variance = beta1 * CLEAN + beta2
    slopes = np.stack([beta1 * CLEAN / variance, beta2 / variance]).reshape(2, -1)
    return 0.5 * slopes @ slopes.T + np.diag([1 / sd**2 for _, sd in PRIOR.values()])


# Each alone, whatever the other: what a posterior's marginals have.
STDDEV = np.sqrt(np.diag(np.linalg.inv(precision())))
# The other held: the best factored normal has these (of a normal posterior).
FACTORED_STDDEV = 1 / np.sqrt(np.diag(precision()))


def joint_by_name():
    """Chains by batch dimensions."""
    return tfd.JointDistributionNamed(
        {
            "log_beta1": prior("log_beta1"),
            "log_beta2": prior("log_beta2"),
            "noise": lambda log_beta1, log_beta2: tfd.Independent(
                noise_of(log_beta1[..., tf.newaxis], log_beta2[..., tf.newaxis]), 1
            ),
        }
    )


def joint_by_coroutine():
    """Chains by TFP's vectorization: the model is written for one."""

    @tfd.JointDistributionCoroutineAutoBatched
    def joint():
        log_beta1 = yield tfd.Normal(*map(f64, PRIOR["log_beta1"]), name="log_beta1")
        log_beta2 = yield tfd.Normal(*map(f64, PRIOR["log_beta2"]), name="log_beta2")
        yield noise_of(log_beta1, log_beta2).copy(name="noise")

    return joint


JOINTS = {"by name": joint_by_name, "by coroutine": joint_by_coroutine}
every_joint = pytest.mark.parametrize("joint", JOINTS.values(), ids=JOINTS)


def adam(rate, steps):
    return tf_keras.optimizers.Adam(tf_keras.optimizers.schedules.CosineDecay(rate, steps))


def check_recovered(log_betas, stddev, *, within):
    """[2, ..] draws: the truth within three standard deviations, which are the expected ones."""
    mean, spread = (of(log_betas.reshape(2, -1), axis=1) for of in (np.mean, np.std))
    np.testing.assert_array_less(np.abs(mean - TRUE), 3 * spread)
    np.testing.assert_array_less(np.abs(np.log(spread / stddev)), np.log(within))


@every_joint
def test_a_joint_distribution_samples_and_weighs_several_draws_at_once(joint):
    joint = joint()
    draws = joint.sample(3, seed=1)
    draws = draws if isinstance(draws, dict) else draws._asdict()
    assert draws["noise"].shape == (3, *CLEAN.shape)
    together = joint.log_prob(**draws)
    for k in range(3):
        log_beta1, log_beta2, noise = (draws[name][k] for name in (*PRIOR, "noise"))
        of_priors = prior("log_beta1").log_prob(log_beta1) + prior("log_beta2").log_prob(log_beta2)
        of_noise = tf.reduce_sum(noise_of(log_beta1, log_beta2).log_prob(noise))
        np.testing.assert_allclose(together[k], of_priors + of_noise, rtol=1e-12)


# By coroutine, HMC runs in the README's example.
@pytest.mark.parametrize(
    "joint",
    [joint_by_name, pytest.param(joint_by_coroutine, marks=pytest.mark.slow)],
    ids=JOINTS,
)
def test_hmc_recovers_beta1_and_beta2(joint, noise):
    posterior = joint().experimental_pin(noise=noise)

    @tf.function
    def sample(start1, start2):
        kernel = tfp.mcmc.HamiltonianMonteCarlo(
            lambda log_beta1, log_beta2: posterior.unnormalized_log_prob(
                log_beta1=log_beta1, log_beta2=log_beta2
            ),
            step_size=[f64(sd) for sd in STDDEV],
            num_leapfrog_steps=3,
        )
        return tfp.mcmc.sample_chain(
            200,
            [start1, start2],
            kernel=tfp.mcmc.DualAveragingStepSizeAdaptation(kernel, 100),
            num_burnin_steps=150,
            trace_fn=lambda _, results: results.inner_results.is_accepted,
            seed=(1, 2),
        )

    # Chains start up to five standard deviations away, on all sides.
    away = np.random.default_rng(1).uniform(-5, 5, (CHAINS, 2))
    draws, is_accepted = sample(*map(f64, (TRUE + away * STDDEV).T))
    assert draws[0].shape == (200, CHAINS)
    # 0.75 is what the step sizes are adapted to.
    assert 0.5 < np.mean(is_accepted) < 0.98
    assert np.max(tfp.mcmc.potential_scale_reduction(draws)) < 1.05
    # 1600 correlated draws tell a standard deviation to some 5 %, and the posterior is only
    # nearly normal.
    check_recovered(np.stack(draws), STDDEV, within=1.2)


@pytest.mark.slow  # Hundreds of steps more than HMC.
def test_variational_inference_recovers_beta1_and_beta2(noise):
    joint = joint_by_name()
    trainable = {
        name: tfp.util.TransformedVariable(f64(0.1), tfb.Exp(), name=f"{name}_stddev")
        for name in PRIOR
    }
    surrogate = tfd.JointDistributionNamed(
        {name: tfd.Normal(tf.Variable(f64(-8.0)), trainable[name]) for name in PRIOR}
    )

    def log_prob(log_beta1, log_beta2):
        return joint.log_prob(log_beta1=log_beta1, log_beta2=log_beta2, noise=noise)

    tfp.vi.fit_surrogate_posterior(
        log_prob,
        surrogate,
        adam(0.1, 300),
        num_steps=300,
        sample_size=10,
        seed=(3, 4),
    )
    draws = surrogate.sample(4000, seed=(5, 6))
    draws = np.stack([draws["log_beta1"], draws["log_beta2"]])
    # The posterior is only nearly normal, and the gradients are of 10 draws each.
    check_recovered(draws, FACTORED_STDDEV, within=1.3)


def test_a_layer_that_tfp_makes_trainable_is_fitted(noise):
    fitted = tfp.experimental.util.make_trainable(
        nb.SignalDependent,
        initial_parameters={"log_beta1": f64(-8.0), "log_beta2": f64(-8.0)},
        parameter_dtype=tf.float64,
        dtype=tf.float64,
    )
    distribution = NoiseDistribution(fitted, GIVEN)
    assert len(distribution.trainable_variables) == 2
    assert {id(v) for v in distribution.trainable_variables} == {
        id(v) for v in fitted.trainable_variables
    }
    tfp.math.minimize(
        lambda: -tf.reduce_sum(distribution.log_prob(noise)) / noise.shape.num_elements(),
        num_steps=400,
        optimizer=adam(0.1, 400),
        trainable_variables=distribution.trainable_variables,
    )
    found = np.array([fitted.log_beta1.values, fitted.log_beta2.values])
    np.testing.assert_array_less(np.abs(found - TRUE), 3 * STDDEV)
    # The maximum, to a tenth of the standard deviations.
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(distribution.log_prob(noise))
    gradient = tape.gradient(total, fitted.trainable_variables)
    assert np.max(np.abs(gradient * FACTORED_STDDEV)) < 0.1


def test_a_layer_of_tfps_stateless_trainables_is_traced(noise):
    start, build = tfp.experimental.util.make_trainable_stateless(
        nb.SignalDependent,
        initial_parameters={"log_beta1": f64(-8.0), "log_beta2": f64(-8.0)},
        parameter_dtype=tf.float64,
        dtype=tf.float64,
    )

    @tf.function
    def gradients(parameters):
        def total(*parameters):
            distribution = NoiseDistribution(build(parameters), GIVEN)
            return tf.reduce_sum(distribution.log_prob(noise))

        return tfp.math.value_and_gradient(total, parameters)[1]

    parameters = start(seed=(0, 1))
    for gradient in gradients(list(parameters)):
        assert abs(gradient) > 1


def test_a_gain_that_tfp_makes_trainable_has_one_number():
    gain = tfp.experimental.util.make_trainable(
        nb.Gain,
        initial_parameters={"log_u": f64(-5.0)},
        parameter_dtype=tf.float64,
        dtype=tf.float64,
    )
    (log_u,) = gain.trainable_variables
    assert log_u.numpy() == -5
    assert gain.log_psi is None
