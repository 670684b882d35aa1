"""All tests run on the CPU, in processes that they start as well: what they expect is its bytes."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before any test imports torch
