"""`python -m dra_grpo`, for launchers such as torchrun that take a module."""

import sys

from dra_grpo.cli.main import main

sys.exit(main())
