#!/bin/sh
#BERTH --name train-iris
#BERTH --nodes 2 --devices 4 --launch device      # one process per device: 8 ranks on 2 nodes
#BERTH --time 10m --grace 30s
#BERTH --requeue node-fault,preempt --requeue-exit 75
#BERTH --workdir .                                # the folder that `berth submit` is called in
#
# Submit it from this folder:  berth submit train.sh
# Arguments after -- go to the training:  berth submit train.sh -- --epochs 100 --seconds-per-epoch 0.5
PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=python3
exec "$PYTHON" -B train.py "$@"
