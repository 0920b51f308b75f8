#!/usr/bin/env python3
"""The Fréchet distance of `benches/benches/frechet.rs` as pytorch-fid computes it: numpy's covariance, scipy's square root.

    pip install numpy scipy
    OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2 python frechet.py [RUNS]

Prints seconds of the two covariances, of the distance and of both, the peak memory of the process, and the distance, which has to
be the bench's: the features are the same, from the same integer hash.
"""

import json
import resource
import statistics
import sys
import time

import numpy as np
from scipy import linalg

SAMPLES, WIDTH = 10_000, 2048


def hashed(count, tensor):
    """Uniform in [-1, 1): `skyreels_benches::hashed`."""
    h = np.arange(count, dtype=np.uint32) + np.uint32((0x9E3779B9 * (tensor + 1)) & 0xFFFFFFFF)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h.astype(np.float64) / 2147483648.0 - 1.0


def features(tensor):
    """Neighbours share half of their numbers, so that the covariance is not that of noise."""
    noise = hashed(SAMPLES * (WIDTH + 1), tensor).astype(np.float32).reshape(SAMPLES, WIDTH + 1)
    return noise[:, :-1] + noise[:, 1:]


def distance(a, b):
    (mean_a, covariance_a), (mean_b, covariance_b) = a, b
    root = linalg.sqrtm(covariance_a @ covariance_b)
    root = root[0] if isinstance(root, tuple) else root
    difference = mean_a - mean_b
    return float(difference @ difference + np.trace(covariance_a) + np.trace(covariance_b) - 2 * np.trace(root).real)


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    sets = [features(0), features(1)]
    seconds = {"statistics_s": [], "distance_s": [], "whole_s": []}
    for _ in range(runs):
        start = time.perf_counter()
        known = [(np.mean(rows, axis=0, dtype=np.float64), np.cov(rows, rowvar=False)) for rows in sets]
        middle = time.perf_counter()
        value = distance(*known)
        end = time.perf_counter()
        for name, took in zip(seconds, (middle - start, end - middle, end - start)):
            seconds[name].append(took)
    report = {name: statistics.median(took) for name, took in seconds.items()}
    # In KiB on Linux.
    report["peak_rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(report | {"distance": value}))


main()
