"""The one protocol by which long work is kept: valid by content, in any order, shared between folders."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import AuditFolderError
from audit.store.shards import Shard, ShardStore, divide


@pytest.fixture
def store(tmp_path) -> ShardStore:
    return ShardStore(tmp_path / "here", "key")


def squares(shard: Shard) -> dict[str, np.ndarray]:
    return {"square": shard.rows.astype(np.float32) ** 2}


def refuse(shard: Shard) -> dict[str, np.ndarray]:
    raise AssertionError(f"{shard.name} was made again")


def ignore(count: int) -> None:
    del count


@given(st.integers(0, 300), st.integers(1, 50))
def test_every_row_is_in_one_shard_in_order(count, size):
    shards = divide(np.arange(count), size, "part-{:05d}".format)
    rows = [shard.rows for shard in shards]
    assert np.concatenate([np.zeros(0, int), *rows]).tolist() == list(range(count))
    assert all(len(part) == size for part in rows[:-1]) and all(0 < len(part) <= size for part in rows[-1:])
    assert all(one.name < other.name for one, other in pairwise(shards))


def test_what_is_there_is_not_made_again(store):
    shards = divide(np.arange(7), 3, "part-{}".format)
    done: list[int] = []
    paths = store.fill(shards, squares, done.append)
    assert done == [3, 3, 1] and [path.name for path in paths] == [f"part-{n}.safetensors" for n in range(3)]
    paths[1].unlink()
    assert store.missing(shards) == [shards[1]]
    made = []
    store.fill(shards, lambda shard: made.append(shard.name) or squares(shard), ignore)
    assert made == ["part-1"]
    store.fill(shards, refuse, ignore)
    assert np.concatenate([store.read(shard)["square"] for shard in shards]).tolist() == [0, 1, 4, 9, 16, 25, 36]


def test_a_shard_answers_one_question_about_the_very_rows(store):
    (shard,) = divide(np.arange(2), 2, "part-{}".format, ["a", "b"])
    store.write(shard, squares(shard))
    assert store.holds(shard)
    assert not ShardStore(store.folder, "another key").holds(shard)
    assert not store.holds(divide(np.arange(2), 2, "part-{}".format, ["a", "changed"])[0])
    assert not store.holds(Shard(shard.name, np.arange(1, 3), shard.content))


@pytest.mark.parametrize("content", [b"", b"damaged", b"\xff" * 500])
def test_a_damaged_shard_is_made_anew(store, content):
    (shard,) = divide(np.arange(2), 2, "part-{}".format)
    store.write(shard, squares(shard))
    store.path(shard).write_bytes(content)
    with pytest.raises(AuditFolderError, match="part-0"):
        store.read(shard)
    store.fill([shard], squares, ignore)
    assert store.read(shard)["square"].tolist() == [0, 1]


def test_a_maker_that_fails_leaves_nothing(store):
    shards = divide(np.arange(4), 2, "part-{}".format)
    with pytest.raises(AssertionError, match="part-0 was made again"):
        store.fill(shards, refuse, ignore)
    assert store.missing(shards) == shards and not list(store.folder.glob("*"))


def test_equal_shards_are_borrowed_and_others_are_not(store, tmp_path):
    other = ShardStore(tmp_path / "there", store.key)
    ours = divide(np.arange(4), 2, "part-{}".format, ["a", "b", "c", "d"])
    theirs = divide(np.arange(4), 2, "part-{}".format, ["a", "b", "c", "changed"])
    other.fill(theirs, squares, ignore)
    store.borrow(other.folder, ours)
    assert [store.holds(shard) for shard in ours] == [True, False]
    assert store.path(ours[0]).samefile(other.path(theirs[0]))
    store.write(ours[0], {"square": np.full(2, -1.0)})
    assert other.read(theirs[0])["square"].tolist() == [0, 1]


def test_the_stale_are_discarded_and_files_of_other_names_left(store):
    shards = divide(np.arange(4), 2, "part-{}".format)
    store.fill(shards, squares, ignore)
    ShardStore(store.folder, "another key").write(shards[0], {"square": np.zeros(2)})
    for name in ("part-9", "other-0"):
        store.write(Shard(name, np.arange(2)), {"square": np.zeros(2)})
    store.discard_others(shards, "part-*")
    assert sorted(path.stem for path in store.folder.iterdir()) == ["other-0", "part-1"]
