#!/usr/bin/env bash
# Runs a command with a SLURM on PATH: the one that is there, else one of one node from the script SLURM_LOCAL, started here
# and stopped again. Where neither is there the command runs without, and tests say that they are skipped and why.
#   SLURM_LOCAL=../shared/slurm/slurm-local tests/cluster/with_slurm.sh FOLDER COMMAND...
set -euo pipefail
folder=$1
shift
if ! command -v sbatch >/dev/null && [[ -x ${SLURM_LOCAL:-} ]]; then
  trap '"$SLURM_LOCAL" stop "$folder"' EXIT
  "$SLURM_LOCAL" start "$folder"
  # shellcheck source=/dev/null
  . "$folder/env"
  export RFT_SLURM_FOLDER=$folder
fi
"$@"
