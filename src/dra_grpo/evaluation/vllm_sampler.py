"""Sampling with vLLM in this process."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.samples import Decoding, Request, Sample
from dra_grpo.evaluation.settings import EvalSettings
from dra_grpo.evaluation.transformers_sampler import loading, prompt_ids, stop_tokens


class VllmSampler:
    """All requests at once into vLLM's scheduler; each sample comes back when it is complete.

    Prompts are tokenized here, so that the chat template and the special tokens are those of the transformers engine.

    Args:
        settings: model, dtype, revision, devices (GPUs to spread the model over, tensor parallel) and context.

    Raises:
        UsageError: vLLM is not installed, or the tokenizer cannot be loaded.
    """

    def __init__(self, settings: EvalSettings):
        if find_spec("vllm") is None:
            advice = "pip install vllm, or take --engine transformers, or a running server with --engine server"
            raise UsageError(f"the vllm engine needs vLLM, which is not installed; {advice}")
        from transformers import AutoTokenizer
        from vllm import LLM  # pyright: ignore[reportMissingImports]

        self.devices = settings.devices or 1
        with loading(settings.model) as model:
            self.tokenizer = AutoTokenizer.from_pretrained(model, revision=settings.revision or "main")
        self.engine: Any = LLM(
            model=settings.model,
            revision=settings.revision,
            dtype=settings.dtype,
            tensor_parallel_size=self.devices,
            max_model_len=settings.context,
        ).llm_engine

    def sample(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[list[Sample]]:
        """Draw every request.

        Raises:
            UsageError: vLLM refuses a request, such as one whose prompt exceeds its context.
        """
        from vllm import SamplingParams  # pyright: ignore[reportMissingImports]
        from vllm.sampling_params import RequestOutputKind  # pyright: ignore[reportMissingImports]

        for number, request in enumerate(requests):
            ids = prompt_ids(self.tokenizer, request.prompt)
            parameters = SamplingParams(
                n=1,
                temperature=decoding.temperature,
                top_p=decoding.top_p,
                max_tokens=decoding.max_new_tokens,
                seed=request.seed,
                stop_token_ids=sorted(stop_tokens(self.tokenizer, decoding)) or None,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            try:
                self.engine.add_request(str(number), {"prompt_token_ids": ids}, parameters)
            except ValueError as error:
                reason = " ".join(str(error).split())
                raise UsageError(f"vLLM refuses a prompt of {len(ids)} tokens: {reason}") from error
        while self.engine.has_unfinished_requests():
            for one in (output for output in self.engine.step() if output.finished):
                request, completion = requests[int(one.request_id)], one.outputs[0]
                ids, truncated = completion.token_ids, completion.finish_reason == "length"
                yield [Sample(request.id, request.number, completion.text, len(ids), truncated)]
