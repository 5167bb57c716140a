PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: install demo docs notebooks test test-all test-gpu test-edge check format lock vulnerabilities wheel clean

install: $(VENV)/installed

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "evonas needs Python 3.11 or newer: make PYTHON=python3.12 install")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: install
	$(BIN)/evonas search configs/digits.yaml --run runs/demo
	$(BIN)/evonas front runs/demo --plot runs/demo/front.png --format csv > runs/demo/front.csv

# The runs that the notebooks read, each a minute or less on two cores, and the notebooks with their outputs. A search
# that is finished has nothing to do. What runs and what a notebook computes differs a little each time.
notebooks: demo
	for seed in 0 1 2; do for strategy in 'nsga2, population: 8' random; do \
		$(BIN)/evonas search configs/digits.yaml --run runs/compare/$${strategy%%,*}-$$seed --set seed=$$seed \
			--set "strategy={kind: $$strategy}" --set schedule.generation=8 --set training.epochs=6 --set 'training.rungs=[2]' \
			--set 'objectives=[{metric: error}, {metric: params}]' --set budget.evaluations=96 || exit 1; \
	done; done
	$(BIN)/python notebooks/execute.py

# Four at a time, on two cores as well: much of what is tested waits for processes of its own.
test: install
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

test-all: install
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "slow or not slow"

# What needs the extras `executorch` and `litert`, which the lock leaves out: in an environment that has them,
# make test-edge BIN=/path/to/its/bin; some minutes.
test-edge:
	$(BIN)/python -m pytest -m "slow or not slow" -rs tests/measuring/test_edge.py tests/evaluation/test_quantised.py tests/test_int8_search.py

# On a machine with a GPU, where the tests above skip them. One at a time: they share its memory. The environment is the
# machine's own where its torch is for CUDA: make test-gpu BIN=/path/to/its/bin
test-gpu:
	$(BIN)/python -m pytest -m gpu -rs tests

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/check_docstrings.py
	$(MKDOCS)

# The site of the documents, in site/: open site/index.html, no server and no network are needed. A link that leads
# nowhere or a reference that is not there is an error. (The variable keeps an announcement of the theme's away.)
docs: install
	$(MKDOCS)

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Known vulnerabilities of what the lock pins, by pip-audit in an environment of its own. It asks public advisories, so it needs the network.
vulnerabilities:
	$(PYTHON) -m venv .audit
	.audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	.audit/bin/pip-audit --requirement requirements.lock --disable-pip --no-deps --strict

# Pins all that the package, its extras and its tests need; made with Python 3.11 and pip-tools (pip install pip-tools uv).
# requirements-gpu.lock has what the image of cluster/ needs, with torch for CUDA and its libraries, of the same versions:
# uv resolves it from metadata, where pip-compile would download all of these wheels, or take one for the CPU that it finds.
lock:
	$(BIN)/pip-compile --quiet --strip-extras --allow-unsafe --extra dev --no-header --no-annotate --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --upgrade-package torch==2.13.0 --output-file requirements.lock pyproject.toml
	sed -i '/^evonas @/d; s/+cpu$$//; /^$$/d; /^#/d' requirements.lock
	$(BIN)/uv pip compile --quiet --extra cluster --python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-header \
		--no-annotate --constraint requirements.lock --output-file requirements-gpu.lock pyproject.toml

# dist/evonas-VERSION-py3-none-any.whl, of what is installed: no network is needed. What an earlier one left in build/
# would get into it.
wheel: install
	rm -rf build
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/evonas-*.whl

clean:
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache
