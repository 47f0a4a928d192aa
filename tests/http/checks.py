"""Runs test functions one after another and sums them up as Check does, so that all tests of the tree
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


def run(tests, prepare, finish):
    """Each test gets what prepare() returns, finish() ends it."""
    failures = 0
    for test in tests:
        world = prepare()
        try:
            test(world)
        except Skip as reason:
            print(f"SKIP: {test.__name__}: {reason}")
        except Exception:
            failures += 1
            print(f"{test.__name__}:")
            traceback.print_exc(file=sys.stdout)
        finally:
            finish(world)
        sys.stdout.flush()
    print(f"{100 * (len(tests) - failures) // len(tests)}%: Checks: {len(tests)}, Failures: {failures}, Errors: 0")
    sys.exit(failures > 0)
