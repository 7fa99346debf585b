#!/usr/bin/env python3
"""Data-parallel training of a small classifier on Fisher's Iris flowers, as one job of several nodes.

Every rank computes the gradient of its share of each batch; the gradients are summed over all ranks, so
all ranks hold the same weights at all times. It works with `--launch device` (Berth starts one process per
device, RANK and WORLD_SIZE are set) and with `--launch node` (one process per node, which starts one
worker per device itself, as torchrun does), and without Berth as a single process.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time

from collective import group_from_environment
from model import Model, load_samples

EXIT_REQUEUE = 75  # asks the scheduler for another attempt
HERE = os.path.dirname(os.path.abspath(__file__))

stop_asked = False


def ask_to_stop(_signal, _frame):
    global stop_asked
    stop_asked = True


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batches", type=int, default=4, help="batches per epoch")
    parser.add_argument("--rate", type=float, default=0.1, help="learning rate")
    parser.add_argument("--seed", type=int, default=1936)
    parser.add_argument("--seconds-per-epoch", type=float, default=0.0,
                        help="slow down to this pace, to have something to watch")
    parser.add_argument("--checkpoint-every", type=int, default=5, metavar="EPOCHS")
    parser.add_argument("--checkpoint-dir", default=os.environ.get("BERTH_OUTPUT_DIR", "checkpoints"))
    return parser.parse_args()


def write_checkpoint(folder, rank, state):
    """Either the old checkpoint or the new one is there, whatever happens meanwhile."""
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, ".checkpoint.%d.tmp" % rank)
    with open(temporary, "w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, os.path.join(folder, "checkpoint.json"))


def read_checkpoint(folder, size):
    try:
        with open(os.path.join(folder, "checkpoint.json")) as file:
            state = json.load(file)
        usable = state["epoch"] > 0 and len(state["weights"]) == len(state["velocity"]) == size
        return state if usable else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        print("ignoring an unreadable checkpoint: %s" % error, flush=True)
        return None


def newest(states):
    found = [state for state in states if state]
    return max(found, key=lambda state: state["epoch"]) if found else None


def pause_until(moment):
    while not stop_asked and time.monotonic() < moment:
        time.sleep(min(0.05, max(0.0, moment - time.monotonic())))


def own_device(local_rank):
    """All devices of the node's share are visible to each of its ranks; the local rank says which is whose."""
    devices = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return devices[local_rank] if local_rank < len(devices) and devices[0] else "none"


def train_epoch(group, model, training, arguments, epoch):
    """Returns the mean loss over the epoch. All ranks shuffle alike and take every n-th sample of a batch."""
    order = list(range(len(training)))
    random.Random(arguments.seed * 100003 + epoch).shuffle(order)
    loss = count = 0.0
    for batch in range(arguments.batches):
        indexes = order[batch::arguments.batches][group.rank::group.world_size]
        total = group.all_reduce(model.gradient([training[i] for i in indexes]))
        model.step(total[:-2], total[-1], arguments.rate)
        loss += total[-2]
        count += total[-1]
    return loss / count


def train(arguments):
    group = group_from_environment()
    local_rank = int(os.environ.get("LOCAL_RANK", 0))
    print("rank %d of %d is up, device %s" % (group.rank, group.world_size, own_device(local_rank)), flush=True)
    training, test = load_samples(os.path.join(HERE, "iris.csv"))
    model = Model(arguments.seed)
    # A node that was in the previous attempt has the checkpoint; all ranks continue from the newest.
    state = group.exchange(read_checkpoint(arguments.checkpoint_dir, len(model.weights)), newest)
    first, losses = 1, []
    if state:
        model.weights, model.velocity = state["weights"], state["velocity"]
        first, losses = state["epoch"] + 1, state["losses"]
        if group.rank == 0:
            print("resuming after epoch %d, loss %.4f" % (state["epoch"], losses[-1]), flush=True)
    for epoch in range(first, arguments.epochs + 1):
        started = time.monotonic()
        losses = losses + [train_epoch(group, model, training, arguments, epoch)]
        if group.rank == 0:
            print("epoch %3d/%d  loss %.4f  test accuracy %5.1f%%" % (epoch, arguments.epochs, losses[-1],
                  100.0 * model.correct(test) / len(test)), flush=True)
        pause_until(started + arguments.seconds_per_epoch)
        stop = group.exchange(stop_asked, any)
        due = stop or epoch == arguments.epochs or epoch % arguments.checkpoint_every == 0
        if due and local_rank == 0:
            write_checkpoint(arguments.checkpoint_dir, group.rank, {"epoch": epoch, "losses": losses,
                             "weights": model.weights, "velocity": model.velocity})
        if stop and epoch < arguments.epochs:
            if group.rank == 0:
                print("stopped by a signal; checkpoint written after epoch %d" % epoch, flush=True)
            return EXIT_REQUEUE
    if group.rank == 0:
        print("done: %d epochs on %d ranks, loss %.4f -> %.4f, %d of %d test flowers right" % (
            arguments.epochs, group.world_size, losses[0], losses[-1], model.correct(test), len(test)),
            flush=True)
    group.exchange(None, lambda _: None)  # nobody leaves before everybody is done
    group.close()
    return 0


def launch_workers(per_node):
    """--launch node: one worker per device of this node. The first that fails ends the others."""
    node_rank, nodes = int(os.environ["NODE_RANK"]), int(os.environ["NNODES"])
    workers = []
    for local in range(per_node):
        environment = dict(os.environ, RANK=str(node_rank * per_node + local), LOCAL_RANK=str(local),
                           WORLD_SIZE=str(nodes * per_node))
        workers.append(subprocess.Popen([sys.executable, "-B"] + sys.argv, env=environment))
    forwarded, running, first = False, list(workers), 0
    while running:
        if stop_asked and not forwarded:
            forwarded = True
            for worker in running:
                worker.send_signal(signal.SIGTERM)
        for worker in [w for w in running if w.poll() is not None]:
            running.remove(worker)
            if worker.returncode and not first:
                first = worker.returncode
                if first != EXIT_REQUEUE:
                    for other in running:
                        other.terminate()
        time.sleep(0.02)
    return first if first >= 0 else 128 - first


def main():
    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    arguments = parse_arguments()
    try:
        if "RANK" not in os.environ and "NNODES" in os.environ:
            return launch_workers(max(1, int(os.environ.get("NPROC_PER_NODE", "1"))))
        return train(arguments)
    except (OSError, ValueError) as error:
        print("rank %s failed: %s" % (os.environ.get("RANK", "0"), error), file=sys.stderr, flush=True)
        # A peer that is gone because everybody is being stopped is no failure of the training.
        return EXIT_REQUEUE if stop_asked else 1


if __name__ == "__main__":
    sys.exit(main())
