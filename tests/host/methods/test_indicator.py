"""The PFQ indicator against cases worked out by hand."""

import pytest

from fractrain.host.methods.indicator import PUBLISHED_DECAYS, TurningPointIndicator


def indicator(epsilon: float = 0.1, alpha: float = 0.5, limit: int = 3) -> TurningPointIndicator:
    return TurningPointIndicator(epsilon=epsilon, alpha=alpha, limit=limit)


def turning_epochs(watch: TurningPointIndicator, losses: list[float]) -> list[int]:
    """Epochs (from 1) that end in a turning point."""
    return [epoch for epoch, loss in enumerate(losses, 1) if watch.observe(loss)]


def test_five_epochs_are_needed() -> None:
    assert turning_epochs(indicator(), [1.0] * 4) == []
    assert turning_epochs(indicator(), [1.0] * 5) == [5]


def test_turning_points_are_five_epochs_apart_and_limited() -> None:
    assert turning_epochs(indicator(limit=3), [1.0] * 40) == [5, 10, 15]
    assert turning_epochs(indicator(limit=1), [1.0] * 40) == [5]
    assert turning_epochs(indicator(limit=0), [1.0] * 40) == []


def test_scale_is_the_mean_of_the_epochs_so_far() -> None:
    # Epoch 5: scale (2 + 4 * 1) / 5 = 1.2, differences (1, 0, 0, 0) / 1.2; 1 / 1.2 = 0.8333.
    assert turning_epochs(indicator(epsilon=0.84), [2, 1, 1, 1, 1]) == [5]
    assert turning_epochs(indicator(epsilon=0.83), [2, 1, 1, 1, 1]) == []
    # One epoch later the 2 has left the window.
    assert turning_epochs(indicator(epsilon=0.83), [2, 1, 1, 1, 1, 1]) == [6]


def test_scale_is_frozen_after_ten_epochs() -> None:
    restless = [1.0, 10] * 5  # mean 5.5
    # Then 2.5, 1, 1, 1, 1: the largest difference is 1.5 / 5.5 = 0.27273. Had the scale followed
    # the losses, (55 + 6.5) / 15 = 4.1, it would be 0.366.
    assert turning_epochs(indicator(epsilon=0.273), [*restless, 2.5, 1, 1, 1, 1]) == [15]
    assert turning_epochs(indicator(epsilon=0.272), [*restless, 2.5, 1, 1, 1, 1]) == []


def test_any_of_the_four_differences_prevents_it() -> None:
    for position in range(4):
        losses = [1.0] * 5
        losses[position] = 1.5  # scale 1.1, difference 0.4545
        assert turning_epochs(indicator(epsilon=0.45), losses) == []
        assert turning_epochs(indicator(epsilon=0.46), losses) == [5]


def test_rising_losses_count_like_falling_ones() -> None:
    # 1, 1, 1, 1, 0.5: scale 0.9, differences 0.5556; and 1 → 1.5: scale 1.1, 0.4545.
    assert turning_epochs(indicator(epsilon=0.55), [1, 1, 1, 1, 0.5]) == []
    assert turning_epochs(indicator(epsilon=0.45), [1, 1, 1, 1, 1.5]) == []
    assert turning_epochs(indicator(epsilon=0.46), [1, 1, 1, 1, 1.5]) == [5]


def test_epsilon_shrinks_at_each_turning_point() -> None:
    watch = indicator(epsilon=0.2, alpha=0.5)
    turning_epochs(watch, [1.0] * 5)
    assert watch.epsilon == pytest.approx(0.1)
    # Steps of 0.15 pass at the first ε, not at the second. scale (5 + 4 + 0.85) / 10 = 0.985.
    assert turning_epochs(watch, [1, 1, 1, 1, 0.85]) == []
    assert turning_epochs(watch, [0.85, 0.85, 0.85, 0.85]) == [4]
    assert watch.epsilon == pytest.approx(0.05)


def test_equality_is_a_turning_point() -> None:
    # scale 1 (mean of 1.25, 1, 1, 1, 0.75), largest difference exactly 0.5.
    assert turning_epochs(indicator(epsilon=0.5), [1.25, 1, 1, 1, 0.75]) == [5]


def test_published_epsilon_shrinks_twice() -> None:
    published = TurningPointIndicator(epsilon=0.2, alpha=0.5, limit=5, decays=PUBLISHED_DECAYS)
    ours, found = indicator(epsilon=0.2, alpha=0.5, limit=5), []
    for watch in (published, ours):
        found.append([])
        for _ in range(5):
            assert turning_epochs(watch, [1.0] * 5) == [5]
            found[-1].append(watch.epsilon)
    assert found[0] == pytest.approx([0.1, 0.05, 0.05, 0.05, 0.05])
    assert found[1] == pytest.approx([0.1, 0.05, 0.025, 0.0125, 0.00625])
    # A step of 0.04, scale 1: under the published 0.05, but not under 0.025.
    for watch, count in ((published, 1), (ours, 0)):
        watch.turning_points, watch.epsilon = 3, found[watch is ours][2]
        assert len(turning_epochs(watch, [1, 1, 1, 1, 0.96])) == count
