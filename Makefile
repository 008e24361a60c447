PYTHON ?= python3
# torch first and by exact version: resolved together with the rest, pip would take a build with several GB of CUDA.
# On a Linux machine without a GPU: make train TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0

BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: train test test-slow bench lint clean

train: $(STAMP)
	HF_HUB_OFFLINE=1 $(BIN)/dra-grpo train --config countdown --overwrite

# Two processes of one thread each: two cores are used whole, and none waits for another's threads.
test: $(STAMP)
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(STAMP)
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow

# benchmarks/paraphrase_spread.py is left out: it needs a file of saved groups.
bench: $(STAMP)
	for name in core embedders grading released_code overhead; do \
	  echo; echo "== $$name"; HF_HUB_OFFLINE=1 $(BIN)/python benchmarks/$$name.py || exit 1; done

lint: $(STAMP)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v not in ((3, 11), (3, 12)) and \
	  f"dra-grpo is tested on Python 3.11 and 3.12; $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv runs
