# SPDX-License-Identifier: GPL-2.0
"""Runs functions side by side."""

import threading


def side_by_side(functions):
    """Calls each function in a thread of its own, and waits until all have returned. Raises the first
    exception that one of them raised."""
    errors = []

    def call(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    # An interrupt ends the program without waiting for daemon threads.
    threads = [threading.Thread(target=call, args=(function,), daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error
