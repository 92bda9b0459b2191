"""The end of vLLM in a process."""

#: Calls so far, for tests.
cleaned = 0


def cleanup_dist_env_and_memory() -> None:
    global cleaned
    cleaned += 1
