"""Command lines of other tools that ask for the same engine: the library's own (trtexec), and Polygraphy."""

from collections.abc import Mapping, Sequence

from temper.engines.profile import Shape
from temper.engines.tensorrt_api import Api

ProfileShapes = Mapping[str, tuple[Shape, Shape, Shape]]  # min, opt and max shape by input
_KINDS = ("min", "opt", "max")


def shape_list(shapes: ProfileShapes, which: int) -> str:
    """Shapes as trtexec writes them: 'input_ids:1x64,attention_mask:1x64'; `which` is 0 for min, 1 opt, 2 max."""
    return ",".join(f"{name}:{'x'.join(map(str, three[which]))}" for name, three in shapes.items())


def own_command(api: Api, profiles: Sequence[ProfileShapes], *, has_attention: bool) -> str:
    """Command line of the library's own tool, which is part of its SDK."""
    options = ["--onnx=model.onnx"]
    for number, shapes in enumerate(profiles):
        options += [f"--profile={number}"] if len(profiles) > 1 else []
        options += [f"--{kind}Shapes={shape_list(shapes, at)}" for at, kind in enumerate(_KINDS)]
    options += [*api.tool_options, "--noTF32", "--profilingVerbosity=detailed"]
    options += ["--decomposableAttentions='*'"] if has_attention else []
    return " ".join([api.tool, *options, "--skipInference", "--saveEngine=model.engine"])


def polygraphy_command(api: Api, profiles: Sequence[ProfileShapes]) -> str:
    """Command line of Polygraphy (TF32 is off there unless it is asked for; it cannot decompose attention)."""
    words = [api.polygraphy_environment, "polygraphy convert model.onnx --convert-to trt --output model.engine"]
    words += ["--strongly-typed --profiling-verbosity detailed"]
    for shapes in profiles:
        for at, kind in enumerate(_KINDS):
            listed = " ".join(f"{name}:[{','.join(map(str, three[at]))}]" for name, three in shapes.items())
            words.append(f"--trt-{kind}-shapes {listed}")
    return " ".join(filter(None, words))


def equivalent_commands(api: Api, profiles: Sequence[ProfileShapes], *, has_attention: bool) -> dict[str, str]:
    """All of them, by the tool's name."""
    return {
        api.tool: own_command(api, profiles, has_attention=has_attention),
        "polygraphy": polygraphy_command(api, profiles),
    }
