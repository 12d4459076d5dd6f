# Everything a fresh machine needs is Python 3.11-3.13 and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# Tiny networks: a thread pool costs far more than the arithmetic it would share out.
export OMP_NUM_THREADS      = 1
export OPENBLAS_NUM_THREADS = 1
export MKL_NUM_THREADS      = 1

.PHONY: report test check format campaigns mutation reference clean

report: $(VENV)/.installed           ## train every experiment in three frameworks, write reports/latest/
	$(BIN)/gradparity report

test: $(VENV)/.installed             ## the default test run
	$(BIN)/pytest

check: $(VENV)/.installed            ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

campaigns: $(VENV)/.installed        ## the long runs whose results the report shows
	$(BIN)/gradparity agreement
	$(BIN)/gradparity faults

# NumPy only. mutmut changes the files in place, one mutant at a time, and puts them back: run it in a clean tree.
MUTATED = impl_numpy/gradients.py,shared/gradparity/parity/bound.py,shared/gradparity/parity/judge.py
CASE = tests/test_parity.py::test_an_informative_case_leaves_nothing_undecided
NUMPY_ONLY = tests/test_bound.py $(CASE)[numpy-float64-1] $(CASE)[numpy-float32-3]
mutation: $(VENV)/.installed         ## how many mutants of the equations, the bound and the verdict survive the tests
	$(BIN)/pip install --quiet 'mutmut<3'
	-$(BIN)/mutmut run --paths-to-mutate $(MUTATED) --tests-dir tests --simple-output \
		--runner "sh -c '$(BIN)/python -m pytest -x -q -n0 $(NUMPY_ONLY) || exit 1'"
	$(BIN)/mutmut results

reference: $(VENV)/.installed        ## renew the committed copy of the report, on purpose
	$(BIN)/gradparity report --out reports/reference

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), "gradparity needs Python 3.11 to 3.13 (make PYTHON=python3.12 ...), found " + sys.version.split()[0]'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[torch,jax,dev]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis reports/latest reports/runs
