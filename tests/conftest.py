"""Settings that all tests share."""

import os

from hypothesis import settings

# A shared machine can stall any one example, so time is no criterion; and CI repeats itself, so
# that a change is not blamed for an example that it did not choose.
settings.register_profile("specmup", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("specmup")
