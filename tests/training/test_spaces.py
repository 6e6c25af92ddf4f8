from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from axiomrl.errors import UnusableEnvironmentError
from axiomrl.training.spaces import action_layout, observation_layout


def encoded(space: Any, observation: Any) -> list[float]:
    vector = observation_layout(space, "Test-v0").encode(observation)
    assert vector.dtype == np.float32
    assert vector.ndim == 1
    numbers: list[float] = vector.tolist()
    return numbers


def where(space: Any) -> dict[str, tuple[int, int]]:
    layout = observation_layout(space, "Test-v0")
    return {name: (part.start, part.stop) for name, part in layout.slices.items()}


def test_a_flat_box_is_taken_as_it_is() -> None:
    layout = observation_layout(spaces.Box(-1.0, 1.0, (3,)), "Test-v0")
    assert layout.is_plain
    assert layout.size == 3
    assert layout.slices == {"observation": slice(0, 3)}
    assert layout.encode(np.array([1.0, 2.0, 3.0])).tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int8])
def test_boxes_of_any_shape_and_dtype_become_vectors(shape: tuple[int, ...], dtype: type) -> None:
    space = spaces.Box(0, 100, shape, dtype)
    size = int(np.prod(shape, dtype=int))
    observation: Any = np.arange(size, dtype=dtype).reshape(shape)
    assert encoded(space, observation) == list(range(size))
    assert where(space) == {"observation": (0, size)}


def test_choices_become_one_hot() -> None:
    assert encoded(spaces.Discrete(3), np.int64(1)) == [0.0, 1.0, 0.0]
    assert encoded(spaces.Discrete(3, start=5), np.int64(7)) == [0.0, 0.0, 1.0]
    assert encoded(spaces.MultiDiscrete([2, 3]), np.array([1, 0])) == [0, 1, 1, 0, 0]
    assert encoded(spaces.MultiBinary(3), np.array([1, 0, 1], dtype=np.int8)) == [1, 0, 1]


def test_dict_entries_lie_in_the_spaces_key_order() -> None:
    # Gymnasium sorts the keys of a plain dict
    space = spaces.Dict({"velocity": spaces.Box(-9, 9, (1,)), "position": spaces.Box(-9, 9, (2,))})
    assert where(space) == {"position": (0, 2), "velocity": (2, 3)}
    observation = {"velocity": np.array([3.0]), "position": np.array([1.0, 2.0])}
    assert encoded(space, observation) == [1.0, 2.0, 3.0]


def test_tuple_entries_lie_in_index_order() -> None:
    space = spaces.Tuple([spaces.Discrete(2), spaces.Box(-9, 9, (2,))])
    assert where(space) == {"0": (0, 2), "1": (2, 4)}
    assert encoded(space, (np.int64(1), np.array([5.0, 6.0]))) == [0.0, 1.0, 5.0, 6.0]


def test_nested_entries_are_named_by_their_path() -> None:
    space = spaces.Dict(
        {
            "camera": spaces.Dict({"position": spaces.Box(-9, 9, (2, 2))}),
            "goal": spaces.Tuple([spaces.Discrete(2), spaces.MultiBinary(2)]),
        }
    )
    assert where(space) == {"camera/position": (0, 4), "goal/0": (4, 6), "goal/1": (6, 8)}
    observation = {
        "camera": {"position": np.array([[1.0, 2.0], [3.0, 4.0]])},
        "goal": (np.int64(0), np.array([0, 1], dtype=np.int8)),
    }
    assert encoded(space, observation) == [1, 2, 3, 4, 1, 0, 0, 1]


def test_slices_name_where_each_entry_lies() -> None:
    space = spaces.Dict({"a": spaces.Box(-9, 9, (2,)), "b": spaces.Box(-9, 9, (3,))})
    layout = observation_layout(space, "Test-v0")
    vector = layout.encode({"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0, 5.0])})
    assert vector[layout.slices["b"]].tolist() == [3.0, 4.0, 5.0]


IMAGE = spaces.Box(0, 255, (84, 84, 3), np.uint8)


@pytest.mark.parametrize(
    ("space", "named"),
    [
        (IMAGE, "an image (84, 84, 3)"),
        (spaces.Box(0, 255, (84, 84), np.uint8), "an image (84, 84)"),
        (spaces.Dict({"camera": IMAGE}), "'camera' is an image"),
        (spaces.Text(5), "a Text space"),
        (spaces.Graph(spaces.Box(0, 1, (2,)), None), "a Graph space"),
        (spaces.Sequence(spaces.Discrete(2)), "a Sequence space"),
        (spaces.Tuple([spaces.Discrete(2), spaces.Text(5)]), "'1' is a Text space"),
        (spaces.Dict({}), "empty observation space"),
    ],
)
def test_spaces_that_are_no_vector_are_refused_by_name(space: Any, named: str) -> None:
    with pytest.raises(UnusableEnvironmentError) as raised:
        observation_layout(space, "Some/Env-v3")
    assert named in str(raised.value)
    assert "Some/Env-v3" in str(raised.value)


def to_environment(space: Any, actions: Any) -> list[Any]:
    made = action_layout(space, "Test-v0").to_environment(np.asarray(actions))
    for action in made:
        assert space.contains(action), action
    return made


def test_discrete_actions_start_where_the_space_does() -> None:
    layout = action_layout(spaces.Discrete(3), "Test-v0")
    assert (layout.kind, layout.sizes, layout.shape) == ("discrete", (3,), ())
    assert to_environment(spaces.Discrete(3), [0, 2]) == [0, 2]
    assert to_environment(spaces.Discrete(3, start=-1), [0, 1, 2]) == [-1, 0, 1]
    assert to_environment(spaces.Discrete(2, start=7), [1]) == [8]


def test_multi_discrete_actions_keep_shape_start_and_dtype() -> None:
    space = spaces.MultiDiscrete(np.array([[2, 3], [4, 5]]))
    layout = action_layout(space, "Test-v0")
    assert (layout.kind, layout.sizes, layout.shape) == ("multi_discrete", (2, 3, 4, 5), (4,))
    (action,) = to_environment(space, [[1, 2, 3, 4]])
    assert action.tolist() == [[1, 2], [3, 4]]
    shifted = spaces.MultiDiscrete([2, 3], start=[10, 20], dtype=np.int32)
    actions = to_environment(shifted, [[0, 0], [1, 2]])
    assert [action.tolist() for action in actions] == [[10, 20], [11, 22]]
    assert actions[0].dtype == np.int32


def test_binary_actions_are_choices_of_two() -> None:
    layout = action_layout(spaces.MultiBinary((2, 2)), "Test-v0")
    assert (layout.kind, layout.sizes, layout.shape) == ("multi_discrete", (2,) * 4, (4,))
    (action,) = to_environment(spaces.MultiBinary((2, 2)), [[1, 0, 0, 1]])
    assert action.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("shape", [(), (2,), (1,), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64, np.uint8])
def test_box_actions_are_clipped_into_the_space(shape: tuple[int, ...], dtype: Any) -> None:
    # 0.1 and 0.7 have no exact float32: rounded bounds would lie outside a float64 space
    is_float = np.issubdtype(dtype, np.floating)
    low, high = (0.1, 0.7) if is_float else (3, 9)
    space = spaces.Box(low, high, shape, dtype)
    size = int(np.prod(shape, dtype=int))
    layout = action_layout(space, "Test-v0")
    assert (layout.kind, layout.sizes, layout.shape) == ("box", (size,), (size,))
    for wish, expected in ((-100.0, space.low), (100.0, space.high)):
        (action,) = to_environment(space, np.full((1, size), wish, dtype=np.float32))
        np.testing.assert_array_equal(action, expected)
        assert np.shape(action) == shape
    inside = 0.5 if is_float else 5.0
    (action,) = to_environment(space, np.full((1, size), inside, dtype=np.float32))
    np.testing.assert_array_equal(action, np.full(shape, inside))


def test_unbounded_boxes_pass_every_number() -> None:
    space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    actions = to_environment(space, np.array([[1e30, -1e30]], dtype=np.float32))
    np.testing.assert_array_equal(actions[0], np.array([1e30, -1e30], dtype=np.float32))


def test_bounds_beyond_float32_are_taken() -> None:
    space = spaces.Box(-1e300, 1e300, (1,), np.float64)
    (action,) = to_environment(space, np.array([[1e30]], dtype=np.float32))
    assert action[0] == np.float32(1e30)


def test_clipping_does_not_change_what_the_policy_gave() -> None:
    actions = np.array([[5.0, -5.0]], dtype=np.float32)
    to_environment(spaces.Box(-1.0, 1.0, (2,)), actions)
    assert actions.tolist() == [[5.0, -5.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaled_actions_reach_from_bound_to_bound(dtype: Any) -> None:
    space = spaces.Box(np.array([-2.0, 0.1], dtype), np.array([4.0, 0.7], dtype), dtype=dtype)
    layout = action_layout(space, "Test-v0", "scale")
    actions = np.array([[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0], [-9.0, 9.0]], dtype=np.float32)
    made = layout.to_environment(actions)
    assert all(space.contains(action) for action in made)
    expected = [[-2.0, 0.1], [1.0, 0.4], [4.0, 0.7], [-2.0, 0.7]]
    np.testing.assert_allclose(made, expected, rtol=1e-6)


def test_actions_without_bounds_cannot_be_scaled() -> None:
    space = spaces.Box(np.array([-1.0, 0.0]), np.array([1.0, np.inf]), dtype=np.float64)
    with pytest.raises(UnusableEnvironmentError, match="no bounds to scale to"):
        action_layout(space, "Test-v0", "scale")


@pytest.mark.parametrize("space", [spaces.Text(5), spaces.Dict({"a": spaces.Discrete(2)})])
def test_other_action_spaces_are_refused_by_name(space: Any) -> None:
    with pytest.raises(UnusableEnvironmentError, match=f"actions are a {type(space).__name__}"):
        action_layout(space, "Test-v0")
