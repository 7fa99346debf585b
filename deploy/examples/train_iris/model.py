"""A small multilayer perceptron (tanh, softmax, cross-entropy) with its gradient, in plain Python."""

import csv
import math
import random

SPECIES = ["setosa", "versicolor", "virginica"]
HIDDEN = 8


def load_samples(path):
    """Returns (training, test): lists of (features, class). Every fifth flower is kept for the test."""
    with open(path, newline="") as file:
        rows = [([float(row["sepal_length_cm"]), float(row["sepal_width_cm"]),
                  float(row["petal_length_cm"]), float(row["petal_width_cm"])],
                 SPECIES.index(row["species"])) for row in csv.DictReader(file)]
    training = [row for index, row in enumerate(rows) if index % 5 != 0]
    test = [row for index, row in enumerate(rows) if index % 5 == 0]
    count = len(training)
    mean = [sum(x[i] for x, _ in training) / count for i in range(4)]
    deviation = [math.sqrt(sum((x[i] - mean[i]) ** 2 for x, _ in training) / count) for i in range(4)]

    def standardise(samples):
        return [([(x[i] - mean[i]) / deviation[i] for i in range(4)], y) for x, y in samples]

    return standardise(training), standardise(test)


class Model:
    """The weights are one flat list, so that a gradient is one vector to reduce."""

    INPUTS, OUTPUTS = 4, len(SPECIES)
    HIDDEN_WEIGHTS = HIDDEN * (INPUTS + 1)

    def __init__(self, seed):
        generator = random.Random(seed)
        size = self.HIDDEN_WEIGHTS + self.OUTPUTS * (HIDDEN + 1)
        self.weights = [generator.uniform(-0.5, 0.5) for _ in range(size)]
        self.velocity = [0.0] * size

    def _forward(self, x):
        w = self.weights
        hidden = []
        for h in range(HIDDEN):
            at = h * (self.INPUTS + 1)
            total = w[at + self.INPUTS]
            for i in range(self.INPUTS):
                total += w[at + i] * x[i]
            hidden.append(math.tanh(total))
        logits = []
        for o in range(self.OUTPUTS):
            at = self.HIDDEN_WEIGHTS + o * (HIDDEN + 1)
            total = w[at + HIDDEN]
            for h in range(HIDDEN):
                total += w[at + h] * hidden[h]
            logits.append(total)
        top = max(logits)
        powers = [math.exp(value - top) for value in logits]
        scale = sum(powers)
        return hidden, [power / scale for power in powers]

    def gradient(self, samples):
        """Returns the summed gradient over `samples`, followed by the summed loss and their number."""
        gradient = [0.0] * len(self.weights)
        loss = 0.0
        for x, y in samples:
            hidden, chance = self._forward(x)
            loss -= math.log(max(chance[y], 1e-12))
            back = [0.0] * HIDDEN
            for o in range(self.OUTPUTS):
                error = chance[o] - (1.0 if o == y else 0.0)
                at = self.HIDDEN_WEIGHTS + o * (HIDDEN + 1)
                for h in range(HIDDEN):
                    gradient[at + h] += error * hidden[h]
                    back[h] += error * self.weights[at + h]
                gradient[at + HIDDEN] += error
            for h in range(HIDDEN):
                error = back[h] * (1.0 - hidden[h] * hidden[h])
                at = h * (self.INPUTS + 1)
                for i in range(self.INPUTS):
                    gradient[at + i] += error * x[i]
                gradient[at + self.INPUTS] += error
        return gradient + [loss, float(len(samples))]

    def step(self, gradient, count, rate, momentum=0.9):
        for i, total in enumerate(gradient):
            self.velocity[i] = momentum * self.velocity[i] - rate * total / count
            self.weights[i] += self.velocity[i]

    def correct(self, samples):
        hits = 0
        for x, y in samples:
            _, chance = self._forward(x)
            hits += chance.index(max(chance)) == y
        return hits
