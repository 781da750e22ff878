#!/usr/bin/env python3
"""Tests of what judges the measurements: medians, ratios, verdicts, tables."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness import cases, summary, targets  # noqa: E402


def results_of(**figures_by_key):
    found = {}
    for key, rounds in figures_by_key.items():
        found[key] = {"figures": summary.of_rounds(rounds), "rounds": rounds, "curve": None}
    return summary.Results(found)


class Summary(unittest.TestCase):
    def test_median_and_spread(self):
        figures = summary.of_rounds([{"a": 3}, {"a": 1}, {"a": 10, "b": 2}])
        self.assertEqual(figures["a"], {"median": 3, "min": 1, "max": 10})
        self.assertEqual(figures["b"], {"median": 2, "min": 2, "max": 2})

    def test_curve_is_the_median_of_each_point(self):
        rounds = [{"curve": [[0.5, 1], [1, 9]]}, {"curve": [[0.5, 3], [1, 7]]},
                  {"curve": [[0.5, 2], [1, 8]]}]
        self.assertEqual(summary.curve_of_rounds(rounds), [[0.5, 2], [1, 8]])

    def test_ratio_is_of_medians_and_its_spread_of_pairs(self):
        results = results_of(a=[{"x": 2}, {"x": 4}, {"x": 3}], b=[{"x": 1}, {"x": 2}, {"x": 3}])
        self.assertEqual(results.ratio("a", "b", "x"), (1.5, 1.0, 2.0))
        self.assertIsNone(results.ratio("a", "c", "x"))

    def test_numbers_without_exponents(self):
        for value, text in ((0, "0"), (0.123, "0.12"), (12.34, "12.3"), (1234.5, "1234"),
                            (2500000, "2.5 M")):
            self.assertEqual(summary.number(value), text)


class Verdicts(unittest.TestCase):
    def test_at_most(self):
        self.assertEqual(targets.Line("", 1.25, 1.2, aim=1.16).verdict(), "PASS")
        self.assertEqual(targets.Line("", 1.25, 1.1, aim=1.16).verdict(), "PASS, aim reached")
        self.assertEqual(targets.Line("", 1.25, 1.5).verdict(), "misses by 0.25")

    def test_at_least(self):
        self.assertEqual(targets.Line("", 0.75, 0.8, at_least=True).verdict(), "PASS")
        self.assertEqual(targets.Line("", 0.75, 0.5, at_least=True).verdict(), "misses by 0.25")

    def test_nothing_measured_is_no_pass(self):
        line = targets.Line("", 1, why="ENet did not run")
        self.assertIsNone(line.passes())
        self.assertEqual(line.verdict(), "not measured: ENet did not run")

    def test_the_weaker_direction_against_the_better_floor_counts(self):
        def one(sent, received):
            return [{"sent_per_cpu_s": sent, "received_per_cpu_s": received}]
        results = results_of(**{"throughput/FastNet unreliable/1200 B": one(80, 90),
                                "throughput/floor, GSO/1200 B": one(100, 100),
                                "throughput/floor, sendmmsg/1200 B": one(50, 180)})
        line = targets.both_ways(results, "", 0.75, 0.85, "")
        self.assertEqual(line.value, 0.5)

    def test_every_line_survives_an_empty_run(self):
        found = list(targets.lines(summary.Results({}), set()))
        self.assertTrue(all(line.passes() is None for line in found))

    def test_a_line_without_a_limit_is_only_shown(self):
        line = targets.Line("x", None, 3.0, (2.0, 4.0), unit=" KiB")
        self.assertEqual((line.wanted(), line.measured(), line.verdict()),
                         ("-", "3 KiB (2–4)", "for comparison"))

    def test_as_text_has_a_row_for_each(self):
        found = list(targets.lines(summary.Results({}), set()))
        self.assertEqual(len(targets.as_text(found)), len(found) + 1)


class Cases(unittest.TestCase):
    def test_keys_are_unique_and_known_to_the_targets(self):
        keys = [case.key for suite in cases.SUITES.values()
                for case in suite(False, {"spin_us", "keep_warm_us"})]
        self.assertEqual(len(keys), len(set(keys)))
        for key in (targets.rtt("FastNet unreliable"), targets.rtt("QUIC datagrams"),
                    targets.rtt("FastNet unreliable, kept warm", "60/s, spin"), targets.IDLE,
                    targets.TLS_KEPT, "handshake/FastNet/resumed",
                    f"fanout/floor/{targets.FAN}", "throughput/floor, GSO/1200 B",
                    "handshake/FastNet/one at a time", "handshake/OpenSSL alone/full",
                    "loss/FastNet reliable/messages, 0 % loss"):
            self.assertIn(key, keys)


if __name__ == "__main__":
    unittest.main()
