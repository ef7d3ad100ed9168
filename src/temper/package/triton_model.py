"""Triton's Python backend around the package that stands beside this file: texts or images in, answers out."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils  # Triton's own

sys.path.insert(0, str(Path(__file__).resolve().with_name("package")))
from package_runtime import load
from package_runtime.answers import outputs_of
from package_runtime.errors import InputError

DTYPES = {"FP32": np.float32, "BOOL": np.bool_}


class TritonPythonModel:
    """One instance: the model, loaded once."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the package, which checks itself."""
        self._model = load(Path(__file__).resolve().with_name("package"))
        self._input = "TEXT" if self._model.is_text else "IMAGE"

    def execute(self, requests: list[Any]) -> list[Any]:
        """The rows of all requests in one batch; a request that is not what the model takes is refused alone."""
        encoded, failed = {}, {}
        for place, request in enumerate(requests):
            try:
                encoded[place] = self._model.encode(self._rows(request))
            except InputError as error:
                said = f"{error.asked}: {error.happened}; {error.fix}"
                failed[place] = pb_utils.TritonError(said, pb_utils.TritonError.INVALID_ARG)
        answers: dict[int, list[Any]] = {}
        if encoded:
            values = {
                name: [row for own in encoded.values() for row in own.values[name]]
                for name in next(iter(encoded.values())).values
            }
            logits, at = self._model.logits(values), 0
            for place, own in encoded.items():
                answers[place] = self._model.answers(logits[at : at + len(own.lengths)], own.cut)
                at += len(own.lengths)
        return [
            pb_utils.InferenceResponse(error=failed[place])
            if place in failed
            else pb_utils.InferenceResponse(output_tensors=self._tensors(answers[place]))
            for place in range(len(requests))
        ]

    def _rows(self, request: Any) -> list[Any]:
        given = pb_utils.get_input_tensor_by_name(request, self._input).as_numpy()
        if not self._model.is_text:
            return [bytes(image) for image in given.reshape(-1)]
        rows = []
        for own in given.reshape(len(given), -1):
            try:
                texts = [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in own]
            except UnicodeDecodeError as error:
                raise InputError(
                    asked="infer", happened=f"a text is not UTF-8: {error.reason}", affected="it", fix="send UTF-8"
                ) from None
            rows.append(texts[0] if len(texts) == 1 else texts)
        return rows

    def _tensors(self, answers: list[Any]) -> list[Any]:
        signature, tensors = self._model.signature, []
        for output in outputs_of(signature.labels, signature.label_names):
            rows = [output.read(answer) for answer in answers]
            if output.datatype == "BYTES":
                values = np.array([[text.encode() for text in row] for row in rows], dtype=object)
            else:
                values = np.array(rows, dtype=DTYPES[output.datatype])
            tensors.append(pb_utils.Tensor(output.name, values))
        return tensors

    def finalize(self) -> None:
        """Free the model."""
        self._model.__exit__()
