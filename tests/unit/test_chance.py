"""Ids that nobody can guess, and that indexes of many rows can bear."""

from concurrent.futures import ThreadPoolExecutor

from supplier_api.chance import SystemChance

CHANCE = SystemChance()


def test_no_two_uuids_are_the_same_whichever_thread_asks() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: CHANCE.uuid("TENANT1"), range(4000)))

    assert len(set(made)) == len(made)
    assert {each.version for each in made} == {4}


def test_uuids_made_one_after_the_other_lie_together_in_an_index() -> None:
    heads = {CHANCE.uuid("TENANT1").bytes[:6] for _ in range(1000)}

    assert len(heads) <= 6


def test_of_two_references_the_second_does_not_follow_from_the_first() -> None:
    references = {CHANCE.reference("TENANT1", "SP_") for _ in range(1000)}

    assert len({reference[:6] for reference in references}) > 900
