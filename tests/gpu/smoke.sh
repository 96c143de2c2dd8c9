#!/usr/bin/env bash
# What only a GPU can show, in one JSON: training, sampling, packing, sharing and the quickstart, under five minutes on one H100.
#
#     tests/gpu/smoke.sh --out FOLDER [--parts training,sampling] [--limit 270] [--small]
#
# Needs a checkout of this project, PyTorch, transformers and accelerate, and downloads nothing. hydra-core, omegaconf,
# antlr4-python3-runtime and rapidfuzz must be importable (from wheels: python3 -m pip install --no-deps --target SITE *.whl,
# then PYTHONPATH=SITE). --small runs everything at toy sizes on the CPU.
set -u
cd "$(dirname "$0")/../.." || exit 1
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1
export PYTORCH_CUDA_ALLOC_CONF="${PYTORCH_CUDA_ALLOC_CONF:-expandable_segments:True}"
exec "${PYTHON:-python3}" tests/gpu/smoke.py "$@"
