"""Shared by all tests. Its place puts tests/ on the path, so that every test can import `toy` and `tiny_models`."""

import os

# No test may look for the network; without this, each missing model costs 20 seconds of retries.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
