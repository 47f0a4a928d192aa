"""Runs test functions and sums them up as Check does, so that all tests of the tree
count alike. A test that is not possible here raises Skip."""

import os
import sys
import time
import traceback

SLOWNESS = float(os.environ.get("PREFORKD_TEST_SLOWNESS", "1"))


class Skip(Exception):
    pass


def wait_for(condition, what, seconds=20):
    until = time.monotonic() + seconds * SLOWNESS
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, f"waited in vain for: {what}"
        time.sleep(0.01)


def passes(test, prepare, finish):
    world = prepare()
    try:
        test(world)
    except Skip as reason:
        print(f"SKIP: {test.__name__}: {reason}", flush=True)
    except Exception:
        print(f"{test.__name__}:\n{traceback.format_exc()}", flush=True)
        return False
    finally:
        finish(world)
    return True


def count_failures(tests, prepare, finish, together):
    """Each in a process of its own, some at a time."""
    waiting, running, failures = list(tests), 0, 0
    while waiting or running:
        if waiting and running < together:
            test = waiting.pop(0)
            sys.stdout.flush()
            if os.fork() == 0:
                code = 1
                try:
                    code = 0 if passes(test, prepare, finish) else 1
                finally:
                    os._exit(code)
            running += 1
        else:
            failures += os.wait()[1] != 0
            running -= 1
    return failures


def run(tests, prepare, finish, together=1):
    """Each test gets what prepare() returns, finish() ends it. together: how many at a time, where they
    wait more than they compute."""
    if together > 1:
        failures = count_failures(tests, prepare, finish, together)
    else:
        failures = sum(not passes(test, prepare, finish) for test in tests)
    print(f"{100 * (len(tests) - failures) // len(tests)}%: Checks: {len(tests)}, Failures: {failures}, Errors: 0")
    sys.exit(failures > 0)
