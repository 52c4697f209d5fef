"""What a run is made of."""

import numpy as np
import pytest

from fractrain.host.accelerator import open_accelerator
from fractrain.host.cli.train import parse_options
from fractrain.host.datasets import load_dataset
from fractrain.host.methods.recipe import Recipe
from fractrain.host.networks.gates import Gates
from fractrain.host.runs import setup
from fractrain.host.runs.setup import build_arithmetic, build_recipe, prepare, recipe_fields


def recipe(*options: str) -> Recipe:
    given = parse_options(options)
    return build_recipe(given, recipe_fields(given))


def test_steps_on_large_images_are_not_modelled() -> None:
    assert setup._cost_model(65, 8) is None
    assert setup._cost_model(8, 8) is not None


@pytest.mark.parametrize("method", ["dfq", "fractrain"])
def test_the_cost_has_its_published_weight_in_reference_mode(method: str) -> None:
    """One unit in both modes: what a recipe says is the same number."""
    usual = ["--method", method]
    reference = [*usual, "--mode", "reference"]
    assert recipe(*usual).options.beta == 1e-3
    assert recipe(*reference).options.beta == pytest.approx(1e-3 * 3 * 128 / 100)
    for mode in (usual, reference):
        assert recipe(*mode, "--recipe", "short").options.beta == 0.03
        assert recipe(*mode, "--recipe", "short", "--beta", "0.2").options.beta == 0.2
    assert "beta" not in recipe("--method", "pfq", "--mode", "reference").record


def test_reference_mode_normalizes_and_pads_with_the_mean() -> None:
    given = parse_options(["--mode", "reference"])
    work = prepare(given, build_recipe(given, {}), load_dataset("digits"))
    (mean,) = work.dataset.moments().mean
    assert work.dataset.fill == pytest.approx([mean]) and work.dataset.crop_padding == 1
    selector = work.method.selector
    assert isinstance(selector, Gates) and selector.rules.published and selector.per_sample
    with open_accelerator("golden") as accelerator:
        arithmetic = build_arithmetic(given, accelerator, work.dataset)
        images = work.dataset.train_images
        x = arithmetic.pixels(images, None, 8, 1 / 255)
        assert abs(x.mean()) < 1e-3 and x.std() == pytest.approx(1, rel=1e-3)
        assert not arithmetic.pixels(np.full((1, 1, 2, 2), mean), None, 8, 1 / 255).any()


def test_hardware_mode_has_none_of_that() -> None:
    given = parse_options([])
    work = prepare(given, build_recipe(given, {}), load_dataset("digits"))
    assert work.dataset.fill is None
    selector = work.method.selector
    assert isinstance(selector, Gates) and not selector.rules.published


@pytest.mark.parametrize(("method", "kept"), [("fractrain", 0.1), ("dfq", 0.9), ("static", 0.9)])
def test_running_ranges_keep_what_the_published_code_keeps(method: str, kept: float) -> None:
    given = parse_options(["--mode", "reference", "--method", method])
    with open_accelerator("golden") as accelerator:
        arithmetic = build_arithmetic(given, accelerator, load_dataset("digits"))
        first = arithmetic.follow(None, np.float32([0, 10]), 1)
        np.testing.assert_allclose(first, [0, 10 * (1 - kept)], rtol=1e-6)
        second = arithmetic.follow(first, np.float32([0, 10]), 2)
        np.testing.assert_allclose(second, [0, 10 * (1 - kept**3)], rtol=1e-6)
