# Everything a reader or contributor runs. `make` alone lists it.
PYTHON ?= python3
RUN := .venv/bin/python
export JUPYTER_PREFER_ENV_PATH := 1
# Figures follow no settings of the user's, nor a list of fonts that another matplotlib left.
export MPLCONFIGDIR := $(CURDIR)/.venv/matplotlib
# The networks are small: a second thread slows them, and one adds in the same order everywhere.
book test sync: export OMP_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help setup book pdf epub test sync bench gpu lowest newest clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-7s %s\n", $$1, $$2}' Makefile

setup: ## make .venv and install the pinned requirements (the others do this themselves)
	@$(PYTHON) tools/setup_environment.py

book: setup ## execute the chapters that changed and build _build/html
	@$(RUN) tools/build_book.py

pdf: book ## print the whole book into _build/specmup.pdf; needs Chromium, takes some minutes
	@$(RUN) tools/make_pdf.py

epub: book ## write the whole book into _build/specmup.epub, in half a minute
	@$(RUN) tools/make_epub.py

test: setup ## run every check; one stage: make test STAGES=units
	@$(RUN) tools/run_checks.py $(STAGES)

sync: setup ## bring chapters/*.md and *.ipynb into step and store checked outputs
	@$(RUN) tools/sync_chapters.py $(CHAPTERS)

bench: setup ## print the measured ratios as one table, in some five minutes
	@$(RUN) -m benchmarks

gpu: setup ## try a GPU in some minutes and print what a report needs, or what is missing
	@$(RUN) tools/try_gpu.py

lowest: setup ## test the lowest versions that are promised; downloads gigabytes
	@$(RUN) tools/try_versions.py lowest

newest: setup ## test the newest versions and Python; downloads gigabytes
	@$(RUN) tools/try_versions.py newest

clean: ## remove what the build made; .venv stays
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
