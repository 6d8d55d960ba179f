"""The harness must be able to fail: each way is shown once."""

import unittest

from harness import matrix, verdict

PASS = {"result": "pass", "detail": ""}


class Verdicts(unittest.TestCase):
    def test_a_cannot_that_begins_to_work_fails(self):
        judged = verdict.judged("js-1", "metadata-push", PASS)
        self.assertEqual(judged["result"], "fail")
        self.assertIn("cannot began to work", judged["detail"])

    def test_a_quirk_excuses_only_the_failure_that_it_names(self):
        named = {"result": "fail", "detail": "Method not implemented."}
        other = {"result": "fail", "detail": "connect ECONNREFUSED"}
        self.assertEqual(verdict.judged("js-1", "metadata-push", named)["result"], "cannot")
        self.assertEqual(verdict.judged("js-1", "metadata-push", other)["result"], "fail")
        self.assertEqual(verdict.judged("js-0", "metadata-push", named)["result"], "fail")

    def test_a_ninth_item_that_a_library_hides_fails_credit(self):
        counted = {("in", "REQUEST_N"): 1, ("in", "CANCEL"): 1, ("out", "PAYLOAD"): 9}
        self.assertEqual(verdict.confirmed("credit", PASS, {}, counted)["result"], "fail")
        counted["out", "PAYLOAD"] = 8
        self.assertEqual(verdict.confirmed("credit", PASS, {}, counted)["result"], "pass")

    def test_fragments_that_were_none_fail(self):
        said = {"result": "pass", "detail": "in fragments"}
        counted = {("in", "PAYLOAD"): 0}
        self.assertEqual(verdict.confirmed("large-out", said, {}, counted)["result"], "fail")

    def test_one_client_leaves_the_other_columns_alone(self):
        columns = {"a 1": dict.fromkeys(verdict.CELLS, "pass"), "b 2": {"stream": "fail"}}
        parsed = matrix.parse(matrix.render(columns))
        self.assertEqual(parsed["a 1"], columns["a 1"])
        self.assertEqual(parsed["b 2"]["stream"], "fail")
        self.assertEqual(parsed["b 2"]["channel"], "not run")


if __name__ == "__main__":
    unittest.main()
