"""Settings for the tests of training."""

from specmup.training.scaling import Settings


def settings(learning_rate):
    """Every role with numbers of its own, so that a mixed-up role shows."""

    def role(std, multiplier, factor):
        return Settings(std, factor * learning_rate, multiplier, factor / 10, factor * 1e-6)

    return {
        "input": role(0.125, 1.0, 1.0),
        "hidden": role(0.3, 0.3, 0.5),
        "output": role(0.25, 0.8, 0.25),
        "input_bias": role(0.0, 1.0, 2.0),
        "hidden_bias": role(0.0, 0.3, 0.75),
    }
