"""Ids that nobody can guess, and that indexes of many rows can bear."""

from concurrent.futures import ThreadPoolExecutor

from supplier_api.ids import SystemIdSource

ID_SOURCE = SystemIdSource()


def test_no_two_uuids_are_the_same_whichever_thread_asks() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: ID_SOURCE.uuid("TENANT1"), range(4000)))

    assert len(set(made)) == len(made)
    assert {each.version for each in made} == {4}


def test_no_part_of_a_uuid_is_that_of_another() -> None:
    made = [ID_SOURCE.uuid("TENANT1").hex for _ in range(1000)]

    assert len({each[:12] for each in made}) == len({each[-12:] for each in made}) == 1000


def test_ids_of_messages_made_one_after_the_other_lie_together_in_an_index() -> None:
    made = [ID_SOURCE.message_id("TENANT1") for _ in range(1000)]
    heads = {each.bytes[:6] for each in made}

    assert len(set(made)) == 1000
    assert {each.version for each in made} == {4}

    assert len(heads) <= 6


def test_of_two_references_the_second_does_not_follow_from_the_first() -> None:
    references = {ID_SOURCE.reference("TENANT1", "SP_") for _ in range(1000)}

    assert len({reference[:6] for reference in references}) > 900
