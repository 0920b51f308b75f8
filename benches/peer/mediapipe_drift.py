"""How far MediaPipe's video mode moves away from itself when one pixel of the first frame changes by one grey level.

    pip install mediapipe==0.10.21 safetensors
    python benches/peer/mediapipe_drift.py ../shared/media [VIDEO ...]

Prints, for each of 36 pixels near the face and over all frames: the mean distance of a face's landmarks in pixels, that of
the worst frame, and in how many frames it is above 0.02. Pixels that change nothing in the network's input give zeros.
Needs ffmpeg and ffprobe on the path.
"""

import json
import subprocess
import sys
from pathlib import Path

import mediapipe
import numpy
from mediapipe.tasks.python import BaseOptions, vision
from safetensors.numpy import load_file

PIXELS = 36
BAR = 0.02


def frames_of(path, count):
    """Size, rate and the first frames of a video."""
    about = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json"]
    about += ["-show_entries", "stream=width,height,avg_frame_rate", path]
    stream = json.loads(subprocess.check_output(about))["streams"][0]
    numerator, denominator = map(int, stream["avg_frame_rate"].split("/"))
    decode = ["ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough", "-frames:v", str(count)]
    raw = subprocess.check_output(decode + ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
    frames = numpy.frombuffer(raw, numpy.uint8).reshape(-1, stream["height"], stream["width"], 3)
    return frames, numerator / denominator


def landmarks(model, frames, first, rate):
    """Of every frame in video mode, in pixels; `first` stands for the first frame."""
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=model), running_mode=vision.RunningMode.VIDEO
    )
    size = [frames.shape[2], frames.shape[1]]
    found = []
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for number, frame in enumerate(frames):
            pixels = numpy.ascontiguousarray(frame if number else first)
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
            faces = landmarker.detect_for_video(image, int(number * 1000 / rate)).face_landmarks
            found.append([(point.x, point.y) for point in faces[0]])
    return numpy.array(found, numpy.float32) * size


def distances(ours, theirs):
    """Mean over a face's landmarks, for every frame."""
    return numpy.linalg.norm(ours - theirs, axis=2).mean(1)


def main():
    media = Path(sys.argv[1])
    model = str(media / "models/face_landmarker_v2_with_blendshapes.task")
    for video in sys.argv[2:] or ["1", "3", "4", "7"]:
        expected = load_file(media / f"expected/driving_{video}.safetensors")["video.landmarks"]
        expected = expected.reshape(len(expected), -1, 3)[..., :2]
        frames, rate = frames_of(str(media / f"driving/{video}.mp4"), len(expected))
        size = [frames.shape[2], frames.shape[1]]
        plain = landmarks(model, frames, frames[0], rate)
        print(f"video {video}: {distances(plain, expected * size).max():.4f} from the recorded answers at most")
        for seed in range(1, PIXELS + 1):
            random = numpy.random.default_rng(seed)
            column, row = (plain[0].mean(0) + random.integers(-40, 40, 2)).astype(int)
            channel = random.integers(3)
            changed = frames[0].copy()
            value = changed[row, column, channel]
            changed[row, column, channel] = value + 1 if value < 255 else 254
            drift = distances(landmarks(model, frames, changed, rate), plain)
            above = int((drift > BAR).sum())
            print(f"  ({column}, {row}, {channel}): mean {drift.mean():.4f}, worst {drift.max():.4f}, {above} of {len(drift)} above")


if __name__ == "__main__":
    main()
