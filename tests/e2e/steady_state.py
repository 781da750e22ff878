"""Steady state allocates nothing: 100,000 messages in each direction, counted."""

import json

import harness

MESSAGES = 100000


class SteadyState(harness.TestCase):
    def test_no_allocation_in_either_direction(self):
        certificates = self.certificates()
        result = harness.run(harness.program("e2e_steady_state"), certificates.cert,
                             certificates.key, certificates.ca, MESSAGES, timeout=300)
        print(result.stdout.strip())
        numbers = json.loads(result.stdout)
        self.assertTrue(numbers["done"], result.stderr)
        self.assertGreater(numbers["received"], MESSAGES)
        self.assertEqual(numbers["library_allocations"], 0)
        self.assertEqual(numbers["hook_calls"], 0)
        self.assertEqual(result.returncode, 0, result.stderr)


harness.main()
