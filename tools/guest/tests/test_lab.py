# SPDX-License-Identifier: GPL-2.0
"""How tests are found, chosen and repeated."""

import lab
import run as runner
import test_health_sequences
import test_port_loss
import test_sample
import test_walk
from lab import *

IS_ABOUT_A_PROGRAM = True


def drawn(test, seed):
    """Returns the first random number of a test of this name."""
    before = lab.TEST, lab.SEED
    try:
        lab.TEST, lab.SEED = test, seed
        return seeded().random()
    finally:
        lab.TEST, lab.SEED = before


def test_random_numbers_depend_on_test_and_seed():
    """
    the same seed and test again: the same numbers; another case of the test, or seed: others
    """
    equal(drawn("area.test[0]", 1), drawn("area.test[0]", 1), "the numbers")
    different = {drawn(test, seed) for test in ("area.test[0]", "area.test[1]", "area.other") for seed in (1, 2)}
    equal(len(different), 6, "different numbers")


def test_tests_that_draw_random_numbers_are_known():
    """
    directly, in a class of the same file, in a function within; and one that does not
    """
    for function in (test_health_sequences.test_random_sequences, test_walk.test_a_thousand_random_steps_under_traffic,
                     test_port_loss.test_moves_only_its_own_buckets_frame_by_frame):  # fmt: skip
        expect(runner.draws(function), f"{function.__name__} does not draw")
    for module in test_sample, test_health_sequences:
        for name, function in vars(module).items():
            if name.startswith("test_") and "random" not in name:
                expect(not runner.draws(function), f"{name} draws")


def test_a_seed_on_the_list_is_one_more_test():
    """
    a listed seed of this guest runs its test once more, beside the usual seed
    """
    usual, _ = runner.seeds.known()
    name = "health_sequences.random_sequences[1]"
    found = [runner.seeds.Found(77, GUEST, name), runner.seeds.Found(78, "host", name), runner.seeds.Found(79, GUEST, "no.such")]
    known, own = runner.seeds.known, runner.lab.SEED
    try:
        runner.seeds.known = lambda: (usual, found)
        runner.lab.SEED = usual
        equal([test.seed for test in runner.collect("test_*", [name])], [None, 77], "seeds of the test")
        runner.lab.SEED = usual + 1
        equal([test.seed for test in runner.collect("test_*", [name])], [None], "seeds of the test with another SEED")
    finally:
        runner.seeds.known, runner.lab.SEED = known, own
