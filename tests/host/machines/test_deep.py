"""Networks of 74 to 164 layers: trained for a few steps with 100 classes, and costed."""

import json
from pathlib import Path

import pytest

from fractrain.host.cli.main import main
from fractrain.host.machines import mixes
from fractrain.host.machines.comparison import BIT_FUSION, EYERISS, PACKED, compare_machines
from fractrain.host.machines.network_layers import blocks_of
from fractrain.host.machines.sources import load_trace
from fractrain.host.machines.trace import CIFAR, EIGHT
from tests.host.datasets.archives import cifar100_python

DEPTHS = (74, 110, 152, 164)


@pytest.mark.parametrize("depth", DEPTHS)
def test_deep_networks_train_with_100_classes(
    depth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As FracTrain trains them, gates and all, on images and labels in CIFAR-100's format."""
    for name, data in cifar100_python().items():
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    method = ["--method", "fractrain"] if depth == 164 else ["--method", "static"]
    options = ["--batch", "2", "--steps", "2", "--test-images", "2", "--out", str(tmp_path)]
    model = f"resnet{depth}"
    data_options = ["--dataset", str(tmp_path / "data"), "--model", model]
    assert main(["train", *data_options, *method, *options]) == 0
    summary = json.loads((tmp_path / "latest" / "summary.json").read_text())
    assert summary["steps"] == 2 and summary["model"] == model
    trace = load_trace("latest", tmp_path)
    assert trace.images == CIFAR and trace.blocks == (depth - 2) // 2
    assert trace.effective_macs == summary["effective_macs"]


@pytest.mark.parametrize("depth", DEPTHS)
def test_deep_networks_are_costed(depth: int) -> None:
    """A block more of each stage costs the same again: time grows with depth on a straight line."""
    times = []
    for each in (depth, depth - 6, depth - 12):
        trace = mixes.mix_trace(f"resnet{each}", [(EIGHT, 1.0)])
        contenders = (BIT_FUSION, EYERISS[0], PACKED)
        times.append([r.cost.total.seconds for r in compare_machines([trace], contenders)])
    assert blocks_of(f"resnet{depth}", CIFAR) == (depth - 2) // 2
    for deepest, middle, shallow in zip(*times, strict=True):
        assert deepest - middle == pytest.approx(middle - shallow) and middle > shallow
