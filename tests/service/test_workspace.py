"""What a workspace opens."""


def test_runs_that_share_an_engine_find_it_open_and_are_answered_the_same_question_once(workspace):
    with workspace.engine_in_common() as sharing:
        answers = []
        for _ in range(2):
            with sharing.chosen_engine() as engine:
                events = engine.read(workspace.lake.files("datasets/shop/events"))
                answers.append(engine.table(events.aggregate(n=events.count())))
        assert answers[0] is answers[1]
        assert answers[0]["n"].to_pylist() == [1]
    assert workspace.at_hand is None
