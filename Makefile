# Everything a fresh machine needs is Python 3.11-3.13 and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# What is installed: the pinned versions. For the newest ones, CONSTRAINTS= ; for the lowest ones that pyproject.toml
# allows, also INSTALL='uv pip install --python .venv/bin/python --resolution lowest-direct'.
INSTALL     ?= $(BIN)/pip install --quiet
CONSTRAINTS ?= --constraint constraints.txt

# Tiny networks: a thread pool costs far more than the arithmetic it would share out.
export OMP_NUM_THREADS      = 1
export OPENBLAS_NUM_THREADS = 1
export MKL_NUM_THREADS      = 1

.PHONY: report test docs browser check format campaigns ports public-models mutation wheel reference clean

report: $(VENV)/.installed           ## train every experiment in three frameworks, write reports/latest/
	$(BIN)/gradparity report

test: $(VENV)/.installed             ## the default test run
	$(BIN)/pytest

docs: $(VENV)/.installed           ## every command of the documentation, its output compared
	$(BIN)/pytest tests/docs

browser: $(VENV)/.browser            ## the report in headless Chromium
	$(BIN)/pytest --numprocesses=0 tests/browser

check: $(VENV)/.installed            ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

campaigns: $(VENV)/.installed        ## the long runs whose results the report shows
	$(BIN)/gradparity random-networks --networks 250 --draws 20
	$(BIN)/gradparity random-networks --kind full --networks 250 --draws 20
	$(BIN)/gradparity planted-faults
	$(BIN)/gradparity narrow-faults
	$(BIN)/gradparity study
	$(BIN)/gradparity bench
	$(BIN)/gradparity bit-for-bit

# Their packages go into a folder of their own, without what they depend on, which would replace PyTorch and JAX.
ports: $(VENV)/.installed            ## pairs of models, right and with one or two mistakes: verdicts, lines, names, seconds
	for kind in pairs harmless one two; do $(BIN)/python -m tests.ports.measure $$kind; done

PUBLIC = .public
public-models: $(VENV)/.installed    ## models of public packages in two frameworks, judged; layers and optimizers
	$(INSTALL) --no-deps --target $(PUBLIC) --requirement tests/ports/public/requirements.txt
	PYTHONPATH=$(PUBLIC) $(BIN)/python -m tests.ports.public.run
	PYTHONPATH=$(PUBLIC) $(BIN)/python -m tests.ports.public.table

# NumPy only. A copy is mutated, laid out as mutmut 3 wants it (src/); [tool.mutmut] in pyproject.toml says what and by
# which tests. The pattern makes its clean run take the very tests that judge the mutants.
MUTATION = .mutation
mutation: $(VENV)/.installed         ## how many mutants of the equations, the bound and the verdict survive the tests
	$(INSTALL) 'mutmut>=3.8,<4'
	rm -rf $(MUTATION) && mkdir -p $(MUTATION)/src
	cp -r shared/gradparity $(MUTATION)/src/
	cp -r impl_numpy $(MUTATION)/src/gradparity/implementations/
	cp -r tests pyproject.toml $(MUTATION)/
	cd $(MUTATION) && nice -n 19 $(abspath $(BIN))/mutmut run --max-children 1 'gradparity.*'
	cd $(MUTATION) && $(abspath $(BIN))/mutmut results

wheel: $(VENV)/.installed            ## build dist/*.whl, install it into an empty environment, and use it there
	rm -rf dist
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .
	$(PYTHON) -m venv dist/venv
	dist/venv/bin/pip install --quiet $(CONSTRAINTS) dist/*.whl
	cp docs/tutorial/homework.py dist/
	cd dist && ! venv/bin/python -c 'import impl_numpy' 2> /dev/null
	cd dist && venv/bin/gradparity check numpy
	cd dist && { venv/bin/gradparity check homework.py; test $$? = 1; }  # its verdict: disagree

reference: $(VENV)/.installed        ## renew the committed copy of the report, on purpose
	$(BIN)/gradparity report --out reports/reference

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), "gradparity needs Python 3.11 to 3.13 (make PYTHON=python3.12 ...), found " + sys.version.split()[0]'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) $(CONSTRAINTS) --editable '.[torch,jax,digits,cluster,dev]'
	touch $@

# Debian's Chromium, which the tests drive; as root, as it is in a container, it is installed where it is missing.
$(VENV)/.browser: $(VENV)/.installed
	command -v chromium || { apt-get update && apt-get install --yes --no-install-recommends chromium fonts-dejavu-core; }
	$(INSTALL) $(CONSTRAINTS) --editable '.[torch,jax,digits,cluster,dev,browser]'
	touch $@

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis reports/latest reports/runs reports/sweeps
