"""What a run is made of."""

from fractrain.host.runs import setup


def test_steps_on_large_images_are_not_modelled() -> None:
    assert setup._cost_model(65, 8) is None
    assert setup._cost_model(8, 8) is not None
