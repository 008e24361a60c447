from __future__ import annotations

import subprocess
import sys


def test_importing_the_embedders_imports_torch_alone():
    code = (
        "import sys, dra_grpo.embedders\n"
        "heavy = {'transformers', 'sentence_transformers', 'tokenizers', 'huggingface_hub', 'trl', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)), 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[] True\n"
