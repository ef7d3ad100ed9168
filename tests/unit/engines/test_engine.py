from temper.engines.engine import BuiltEngine
from temper.engines.layers import Layer


def layer(name, precision):
    return Layer(**{**dict.fromkeys(Layer.__dataclass_fields__, ""), "name": name, "precision": precision})


def test_layers_are_counted_by_precision_and_an_engine_without_a_listing_has_none():
    layers = (layer("a", "INT8"), layer("b", "FP32"), layer("c", "INT8"))
    assert BuiltEngine(b"", 1.0, "1.5", None, layers, {}).layers_by_precision == {"INT8": 2, "FP32": 1}
    assert BuiltEngine(b"", 1.0, "1.5", None, (), {}).layers_by_precision == {}
