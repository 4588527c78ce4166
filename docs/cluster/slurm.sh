#!/bin/bash
# Trains a noise model on all hosts of a job:
#   sbatch --nodes=4 docs/cluster/slurm.sh TRAIN.h5 VALIDATION.h5 MODEL_DIR [FLAGS OF train.noise_flow]
#SBATCH --job-name=noise_flow
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --requeue
set -euo pipefail

export TRAIN_CAPTURES=$1 VALIDATION_CAPTURES=$2 MODEL_DIR=$3
shift 3
export WORKERS
WORKERS=$(scontrol show hostnames "$SLURM_JOB_NODELIST" |
  sed 's/.*/"&:12345"/' | paste -sd, -)

# One task a host; when one fails, all end, and the queue starts the job again.
srun --kill-on-bad-exit=1 bash -c '
  export TF_CONFIG="{\"cluster\": {\"worker\": [$WORKERS]},
    \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
  exec python -m train.noise_flow --strategy=multi_worker --train_captures="$TRAIN_CAPTURES" \
    --validation_captures="$VALIDATION_CAPTURES" --model_dir="$MODEL_DIR" --verbose=2 "$@"
' worker "$@" || { scontrol requeue "$SLURM_JOB_ID"; exit 1; }
