#!/usr/bin/env python3
# Shows that the checker finds each kind of fault in made-up histories:  python3 Tests/Soak/test_check_history.py
import json
import os
import tempfile
import unittest

from check_history import judge, read_histories

LEASE = 1.0


class History:
    """Lines a tenth of a second apart, unless told otherwise."""

    def __init__(self):
        self.lines, self.t = [], 0.0

    def __call__(self, op, client="c1", after=0.1, **members):
        self.t += after
        self.lines.append({"t": self.t, "client": client, "op": op, **members})
        return self

    def sent(self, token="m", to=("a",), id="i"):
        return self("send", token=token, to=list(to))("sent", token=token, id=id)

    def received(self, attempt=1, client="r1", bot="a", id="i", token="m", after=0.1, took=0.05):
        return self("received", client, after, bot=bot, id=id, attempt=attempt, token=token, began=self.t + after - took)

    def acked(self, attempt=1, client="r1", bot="a", id="i", after=0.1, answer="acked"):
        self("acking", client, after, bot=bot, id=id, attempt=attempt)
        return self(answer, client, bot=bot, id=id, attempt=attempt) if answer else self

    def kinds(self, over=True):
        if over:
            self("over")
        return sorted({fault.kind for fault in judge(self.lines, LEASE)[0]})


class Good(unittest.TestCase):
    def good(self, history, over=True):
        self.assertEqual(history.kinds(over), [])

    def test_a_message_is_sent_received_and_acked(self):
        self.good(History().sent().received().acked())

    def test_two_recipients(self):
        self.good(History().sent(to=("a", "b")).received().acked().received(bot="b").acked(bot="b"))

    def test_a_send_without_an_answer_may_have_happened_or_not(self):
        self.good(History()("send", token="m", to=["a"]))
        self.good(History()("send", token="m", to=["a"]).received().acked())

    def test_a_refused_send_that_never_came(self):
        self.good(History()("send", token="m", to=["a"])("refused", token="m"))

    def test_a_dead_letter_is_not_lost(self):
        self.good(History().sent()("dead", bot="a", id="i", token="m"))

    def test_what_is_not_over_may_still_come(self):
        self.good(History().sent(), over=False)

    def test_an_ack_without_an_answer_may_have_happened_or_not(self):
        self.good(History().sent().received().acked(answer=None))
        self.good(History().sent().received().acked(answer=None)("killed", "r1").received(2, "r2").acked(2, "r2"))

    def test_again_after_a_kill(self):
        self.good(History().sent().received()("killed", "r1").received(2, "r2").acked(2, "r2"))

    def test_again_after_a_nack(self):
        nacked = History().sent().received()("nacking", "r1", bot="a", id="i", attempt=1)
        self.good(nacked.received(2, "r2").acked(2, "r2"))

    def test_again_after_a_stop_and_the_late_ack_is_refused(self):
        stopped = History().sent().received()("stopped", "r1").received(2, "r2", after=1.2)("continued", "r1")
        self.good(stopped.acked(1, "r1", answer="lost").acked(2, "r2"))

    def test_again_after_a_lease_that_nobody_renewed(self):
        self.good(History().sent().received().received(2, "r2", after=1.1).acked(2, "r2"))

    def test_an_attempt_that_nobody_saw_because_its_receiver_was_killed(self):
        self.good(History().sent()("receiving", "r1", bot="a")("killed", "r1").received(2, "r2").acked(2, "r2"))


class Faults(unittest.TestCase):
    def finds(self, kinds, history):
        self.assertEqual(history.kinds(), sorted(kinds))

    def test_lost_was_sent_with_yes_and_never_came(self):
        self.finds(["lost"], History().sent())

    def test_lost_to_one_of_two(self):
        self.finds(["lost"], History().sent(to=("a", "b")).received().acked())

    def test_lost_came_and_was_never_done(self):
        self.finds(["lost"], History().sent().received()("killed", "r1"))

    def test_unexpected_was_never_sent(self):
        self.finds(["unexpected"], History().received().acked())

    def test_unexpected_was_sent_to_another(self):
        self.finds(["unexpected"], History().sent().received().acked().received(bot="b").acked(bot="b"))

    def test_unexpected_was_refused(self):
        self.finds(["unexpected"], History()("send", token="m", to=["a"])("refused", token="m").received().acked())

    def test_unexpected_has_the_id_of_another(self):
        history = History().sent().received(id="other").acked(id="other").received().acked()
        self.finds(["unexpected"], history)

    def test_doubled_as_two_messages(self):
        history = History()("send", token="m", to=["a"]).received(id="i").acked(id="i").received(id="j").acked(id="j")
        self.finds(["doubled"], history)

    def test_doubled_with_two_ids_for_one_key(self):
        history = History().sent()("sent", "c2", token="m", id="j").received().acked()
        self.finds(["doubled"], history)

    def test_doubled_one_attempt_has_two_holders(self):
        self.finds(["doubled"], History().sent().received().received(client="r2").acked())

    def test_doubled_without_a_cause(self):
        self.finds(["doubled"], History().sent().received().received(2, "r2").acked(2, "r2"))

    def test_doubled_though_it_was_another_that_was_killed(self):
        self.finds(["doubled"], History().sent().received()("killed", "r3").received(2, "r2").acked(2, "r2"))

    def test_doubled_though_it_was_killed_before_it_had_it(self):
        history = History()("stopped", "r1")("continued", "r1").sent().received(after=1).received(2, "r2").acked(2, "r2")
        self.finds(["doubled"], history)

    def test_doubled_an_attempt_that_nobody_had(self):
        self.finds(["doubled"], History().sent().received(2).acked(2))

    def test_doubled_after_it_was_acked(self):
        history = History().sent().received().acked()("killed", "r1").received(2, "r2").acked(2, "r2", answer=None)
        self.finds(["doubled"], history)

    def test_stale_accepted(self):
        history = History().sent().received().received(2, "r2", after=1.2)
        self.finds(["stale accepted"], history.acked(1, "r1"))

    def test_stale_accepted_beside_the_right_one(self):
        history = History().sent().received().received(2, "r2", after=1.2)
        self.finds(["stale accepted"], history.acked(2, "r2").acked(1, "r1"))

    def test_stale_accepted_twice_by_one(self):
        self.finds(["stale accepted"], History().sent().received().acked().acked())


class Reading(unittest.TestCase):
    def test_half_a_line_at_the_end_is_left_out_and_files_are_merged_by_time(self):
        with tempfile.TemporaryDirectory() as directory:
            one, two = os.path.join(directory, "1"), os.path.join(directory, "2")
            with open(one, "w") as file:
                file.write(json.dumps({"t": 2, "op": "over"}) + "\n" + '{"t": 3, "op"')
            with open(two, "w") as file:
                file.write(json.dumps({"t": 1, "op": "over"}) + "\n")
            self.assertEqual([line["t"] for line in read_histories([one, two])], [1, 2])


if __name__ == "__main__":
    unittest.main()
