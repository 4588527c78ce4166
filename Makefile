# `make demo` and `make test` need nothing but Python 3.11 and this checkout: they make an
# environment in the user's cache, named after requirements.txt, and share it between checkouts.

PYTHON ?= python3
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tfp_noiseflow
ENVIRONMENT := $(CACHE)/environment-$(shell cat requirements.txt | cksum | cut -d' ' -f1)
READY := $(ENVIRONMENT)/ready
RUN := $(ENVIRONMENT)/bin/python

# That of the documentation sees the library's packages beside its own: its notebooks run there.
DOCS_ENVIRONMENT := $(CACHE)/docs-$(shell cat requirements.txt docs/requirements.txt | cksum | cut -d' ' -f1)
DOCS_READY := $(DOCS_ENVIRONMENT)/ready

DEMO ?= demo
SEED ?= 0

CALIBRATE_DEMO ?= calibrate_demo

GALLERY_CAPTURES := $(DEMO)/gallery_captures

.PHONY: help environment demo calibrate-demo gallery ship docs package test test-all compatibility \
  lint format

help:
	@echo "make demo      simulated captures, training, evaluation, export and report, in $(DEMO)/"
	@echo "make calibrate-demo  a simulated camera's raw frames, its noise model and report (minutes)"
	@echo "make gallery   the README's pictures from the demo's model, in gallery/"
	@echo "make ship      the demo's models into saved_models/"
	@echo "make docs      the documentation, with its notebooks run, in site/index.html (minutes)"
	@echo "make package   sdist and wheel in dist/, the wheel tried in an environment of its own"
	@echo "make test      lint and the tests (minutes)"
	@echo "make test-all  the slow tests too"
	@echo "make compatibility  part of the tests with older and newer versions, in docs/compatibility.md"

# The file is made last, so that an interrupted installation is done again. Its name says which
# requirements.txt it is of: the time of a fresh checkout's file says nothing.
$(READY):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	rm -rf $(ENVIRONMENT)
	$(PYTHON) -m venv $(ENVIRONMENT)
	$(ENVIRONMENT)/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $(READY)

environment: $(READY)

demo: $(READY)
	$(RUN) -m train.simulate_captures --output_dir=$(DEMO)/captures --seed=$(SEED)
	$(RUN) -m train.noise_flow --train_captures=$(DEMO)/captures/train.h5 \
	  --validation_captures=$(DEMO)/captures/validation.h5 --model_dir=$(DEMO)/model \
	  --architecture=S-Ax4-G-Ax4-CAM --seed=$(SEED) --verbose=2
	$(RUN) -m train.noise_flow --train_captures=$(DEMO)/captures/train.h5 \
	  --validation_captures=$(DEMO)/captures/validation.h5 --model_dir=$(DEMO)/sensor_model \
	  --architecture=L-R-P --stored --epochs=5 --seed=$(SEED) --verbose=2
	$(RUN) -m train.evaluate --model_dir=$(DEMO)/model --compare=L-R-P=$(DEMO)/sensor_model \
	  --captures=$(DEMO)/captures/test.h5 --output_dir=$(DEMO)/report
	$(RUN) -m train.export --model_dir=$(DEMO)/model --output_dir=$(DEMO)/saved_models/noise_flow
	$(RUN) -m train.export --model_dir=$(DEMO)/sensor_model \
	  --output_dir=$(DEMO)/saved_models/sensor_noise
	@echo "Open $(DEMO)/report/report.html, or read report.md beside it."

# A camera whose noise is known: compare $(CALIBRATE_DEMO)/frames/truth.json.
calibrate-demo: $(READY)
	$(RUN) -m train.simulate_raw_folder --output_dir=$(CALIBRATE_DEMO)/frames --seed=$(SEED)
	$(RUN) -m train.calibrate --input_dir=$(CALIBRATE_DEMO)/frames --camera=Mine \
	  --output_model_dir=$(CALIBRATE_DEMO)/model --report_dir=$(CALIBRATE_DEMO)/report
	$(RUN) -m train.export --model_dir=$(CALIBRATE_DEMO)/model \
	  --output_dir=$(CALIBRATE_DEMO)/saved_models/mine
	@echo "Read $(CALIBRATE_DEMO)/report/report.md."

# After `make demo`: the paper's flow and the recommended model.
ship: $(READY)
	$(RUN) -m train.evaluate --model_dir=$(DEMO)/sensor_model \
	  --compare=S-Ax4-G-Ax4-CAM=$(DEMO)/model --captures=$(DEMO)/captures/test.h5 \
	  --output_dir=$(DEMO)/sensor_report
	$(RUN) -m train.ship_model --model_dir=$(DEMO)/sensor_model --report_dir=$(DEMO)/sensor_report \
	  --name=sensor_noise --output_dir=saved_models --licence=Apache-2.0 \
	  --made_by='`make demo` trains the model, `make ship` evaluates it and writes this folder.'
	$(RUN) -m train.ship_model --model_dir=$(DEMO)/model --report_dir=$(DEMO)/report \
	  --output_dir=saved_models --licence=Apache-2.0 \
	  --made_by='`make demo` trains and evaluates the model, `make ship` writes this folder.'

# Larger patches than the demo's, of its test split, and a photograph that no split trains on.
gallery: $(READY)
	$(RUN) -m train.simulate_captures --output_dir=$(GALLERY_CAPTURES) --patch_size=72 --seed=$(SEED) \
	  --patches_per_combination=1 --validation_patches_per_combination=1 \
	  --test_patches_per_combination=8
	$(RUN) -m train.gallery --model_dir=$(DEMO)/model --captures=$(GALLERY_CAPTURES)/test.h5 \
	  --compare=L-R-P=$(DEMO)/sensor_model \
	  --cameras="Pixel,Nexus 6,OPPO Reno" --crop_at=120,200 --output_dir=gallery \
	  --photograph=$$($(RUN) -c "from tfp_noiseflow.simulation.photographs import path_of; \
	    print(path_of('chelsea'))")

$(DOCS_READY): $(READY)
	rm -rf $(DOCS_ENVIRONMENT)
	$(RUN) -m venv $(DOCS_ENVIRONMENT)
	$(DOCS_ENVIRONMENT)/bin/pip install --quiet --disable-pip-version-check \
	  -r docs/requirements.txt -c requirements.txt
	$(RUN) -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
	  >$$($(DOCS_ENVIRONMENT)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/library.pth
	touch $(DOCS_READY)

# Warnings are errors, links that lead nowhere among them.
docs: $(DOCS_READY)
	PYTHONPATH=$(CURDIR) TF_CPP_MIN_LOG_LEVEL=2 DOCS_CACHE=$(CACHE)/docs-pages \
	  NO_MKDOCS_2_WARNING=1 $(DOCS_ENVIRONMENT)/bin/mkdocs build --strict
	@echo "Read site/index.html."

# The wheel is built of the sdist, so that the sdist lacks nothing.
package: $(READY)
	rm -rf dist
	$(ENVIRONMENT)/bin/python -m build --outdir dist .
	PYTHON=$(PYTHON) .ci/try_wheel dist/*.whl

lint: $(READY)
	$(ENVIRONMENT)/bin/ruff check .
	$(ENVIRONMENT)/bin/ruff format --check .
	$(RUN) -m mypy

format: $(READY)
	$(ENVIRONMENT)/bin/ruff check --fix .
	$(ENVIRONMENT)/bin/ruff format .

# Two workers of one thread each: most of a test is Python that traces a graph, on one core. More
# threads of NumPy's BLAS would wait for one another in a loop, which takes the other worker's time.
PYTEST := TF_CPP_MIN_LOG_LEVEL=2 TF_NUM_INTRAOP_THREADS=1 OPENBLAS_NUM_THREADS=1 $(RUN) \
  -m pytest -n 2 --dist=worksteal --durations=10

test: lint
	$(PYTEST) -m "not slow"

# Of every property 24 times as many cases.
test-all: lint
	$(PYTEST) --hypothesis-profile=thorough

# With the interpreters python3.11 to python3.13 of PATH, in environments that are removed.
compatibility: $(READY)
	$(RUN) -m tests.compatibility
