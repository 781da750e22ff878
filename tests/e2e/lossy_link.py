"""r1: 10,000 reliable messages of mixed sizes over a link that loses one datagram in ten."""

import json

import harness

MESSAGES = 10000
LOSS_PERCENT = 10


class LossyLink(harness.TestCase):
    def transfer(self, channel):
        certificates = self.certificates()
        bulk = harness.program("e2e_bulk")
        link = harness.Neighbour()
        self.addCleanup(link.close)
        link.lose(LOSS_PERCENT)
        receiver = harness.Server([bulk, "receive", certificates.cert, certificates.key, MESSAGES],
                                  prefix=link.prefix)
        sender = harness.run(bulk, "send", f"{link.address}:{receiver.tls}", certificates.ca,
                             MESSAGES, channel, timeout=300)
        code = receiver.wait()
        told = json.loads(receiver.lines[-1])
        print(receiver.lines[-1], sender.stdout.strip(), f"dropped on the way: {link.dropped()}")
        self.assertEqual(sender.returncode, 0, sender.stderr)
        self.assertEqual(told["received"], MESSAGES)
        self.assertEqual((told["doubled"], told["damaged"]), (0, 0))
        self.assertGreater(link.dropped(), MESSAGES * LOSS_PERCENT / 100 / 3)
        return code, told

    def test_r1_ordered_messages_arrive_once_in_order_and_unchanged(self):
        code, told = self.transfer(0)
        self.assertEqual(told["out_of_order"], 0)
        self.assertEqual(code, 0)

    def test_r1_unordered_messages_arrive_once_and_unchanged(self):
        code, _ = self.transfer(2)
        self.assertEqual(code, 0)


harness.enter_new_network()
harness.main()
