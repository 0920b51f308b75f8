#!/usr/bin/env python3
"""The PyTorch peer of `card`: the same pieces of work on the same device, from diffusers' classes with random weights.

  bench-gpu-peer.py [--device cuda] [--sizes tiny|published] [--dtype bfloat16] [--runs 3] [--compile] [--without LIST]

Prints a table with the columns of `card` and one JSON object as its last line. Needs torch and diffusers. The transformer is
CogVideoXTransformer3DModel with 48 input channels and 729 identity tokens, which already have the width of its text
projection: the small network in front of that (0.02 % of the work) is left out. Attention is torch's
scaled_dot_product_attention, as diffusers calls it. The face encoder is not timed: it is 0.1 % of the work.
"""
import argparse
import json
import os
import statistics
import tempfile
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel  # noqa: E402
from diffusers.models.embeddings import get_3d_rotary_pos_embed  # noqa: E402

SIZES = {
    "published": dict(
        clip=(49, 480, 720), tokens=729, text=4096,
        transformer=dict(num_attention_heads=48, attention_head_dim=64, num_layers=42, time_embed_dim=512,
                         sample_width=90, sample_height=60, sample_frames=49),
        vae=dict(block_out_channels=(128, 256, 256, 512), layers_per_block=3, norm_num_groups=32)),
    "tiny": dict(
        clip=(17, 96, 160), tokens=16, text=48,
        transformer=dict(num_attention_heads=2, attention_head_dim=16, num_layers=2, time_embed_dim=32,
                         sample_width=20, sample_height=12, sample_frames=17),
        vae=dict(block_out_channels=(8, 16, 16, 32), layers_per_block=1, norm_num_groups=8)),
}
CHANNELS = dict(down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4,
                latent_channels=16, scaling_factor=0.7)


class Bench:
    def __init__(self, args):
        self.args, self.rows = args, []
        self.device, self.dtype = torch.device(args.device), getattr(torch, args.dtype)
        self.cuda = self.device.type == "cuda"

    def sync(self):
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def time(self, name, work):
        """First and median seconds, and the peak of allocated bytes on a card."""
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
        seconds = []
        for _ in range(self.args.runs + 1):
            self.sync()
            start = time.perf_counter()
            work()
            self.sync()
            seconds.append(time.perf_counter() - start)
        peak = torch.cuda.max_memory_allocated(self.device) if self.cuda else None
        row = dict(stage=name, first=seconds[0], steady=statistics.median(seconds[1:]), peak_bytes=peak)
        self.rows.append(row)
        held = "" if peak is None else f"{peak / 2**30:.2f}"
        print(f"| {name} | {row['first']:.3f} | {row['steady']:.3f} | {held} |", flush=True)

    def randn(self, *shape):
        return torch.randn(*shape, device=self.device, dtype=self.dtype)


def rotary(size, grid, device):
    """cos and sin for the tables of a published clip; the positions do not change the time."""
    frames, height, width = grid
    head = size["transformer"]["attention_head_dim"]
    tables = get_3d_rotary_pos_embed(head, ((0, 0), (height, width)), (height, width), frames)
    return tuple(table.to(device) for table in tables)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sizes", choices=SIZES, default="published")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="time the transformer through torch.compile too")
    parser.add_argument("--without", default="", help="attention,step,vae,load")
    parser.add_argument("--scratch", default=tempfile.gettempdir())
    args = parser.parse_args()
    without = args.without.split(",")
    size, bench = SIZES[args.sizes], Bench(args)
    frames, height, width = size["clip"]
    latents = ((frames - 1) // 4 + 1, height // 8, width // 8)
    grid = (latents[0], latents[1] // 2, latents[2] // 2)
    config = size["transformer"]
    tokens = size["tokens"] + grid[0] * grid[1] * grid[2]
    print(f"torch {torch.__version__}, {args.dtype}, device {args.device}, {tokens} tokens\n")
    print("| work | first, s | then, s | peak, GiB |\n|---|---|---|---|")
    torch.manual_seed(0)
    with torch.inference_mode():
        if "attention" not in without:
            shape = (1, config["num_attention_heads"], tokens, config["attention_head_dim"])
            q, k, v = (bench.randn(*shape) for _ in range(3))
            bench.time("attention", lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v))
            del q, k, v
        if "step" not in without or "load" not in without:
            # Made where it is used: 5.6 billion random numbers take long on a host.
            with bench.device:
                before = torch.get_default_dtype()
                torch.set_default_dtype(bench.dtype)
                model = CogVideoXTransformer3DModel(
                    in_channels=48, out_channels=16, text_embed_dim=size["text"], max_text_seq_length=size["tokens"],
                    use_rotary_positional_embeddings=True, use_learned_positional_embeddings=False, **config).eval()
                torch.set_default_dtype(before)
        if "step" not in without:
            rope = rotary(size, grid, bench.device)

            def step(run, batched):
                x, face = bench.randn(1, latents[0], 48, *latents[1:]), bench.randn(1, size["tokens"], size["text"])
                nobody = torch.zeros_like(face)

                def work():
                    call = lambda x, e: run(hidden_states=x, encoder_hidden_states=e, image_rotary_emb=rope,  # noqa: E731
                                            timestep=torch.full((len(x),), 500, device=bench.device), return_dict=False)[0]
                    if batched:
                        pair = call(torch.cat([x, x]), torch.cat([nobody, face]))
                        un, con = pair.chunk(2)
                    else:
                        un, con = call(x, nobody), call(x, face)
                    return un + 3.0 * (con - un)
                return work

            bench.time("step, batched", step(model, True))
            bench.time("step, sequential", step(model, False))
            if args.compile:
                compiled = torch.compile(model, mode="max-autotune-no-cudagraphs")
                bench.time("step, batched, compiled", step(compiled, True))
                bench.time("step, sequential, compiled", step(compiled, False))
        if "load" not in without:
            load(bench, model, args.scratch)
        model = None
        if "vae" not in without:
            vae = AutoencoderKLCogVideoX(**size["vae"], **CHANNELS).to(bench.device, bench.dtype).eval()
            clip, noise = bench.randn(1, 3, frames, height, width), bench.randn(1, 16, *latents)
            bench.time("guide", lambda: vae.encode(clip).latent_dist.mean)
            vae.enable_tiling()  # as the original's script does
            bench.time("portrait", lambda: vae.encode(clip[:, :, :1]).latent_dist.mean)
            bench.time("decode", lambda: vae.decode(noise).sample)
            vae.disable_tiling()
            if bench.cuda:
                bench.time("decode, whole", lambda: vae.decode(noise).sample)
    card = torch.cuda.get_device_name(bench.device) if bench.cuda else None
    print(json.dumps(dict(torch=torch.__version__, card=card, dtype=args.dtype, size=size["clip"], timings=bench.rows)))


def load(bench, model, scratch):
    """Loads what was just written, as `card` does: warm as far as the page cache reaches."""
    from safetensors.torch import load_file, save_file
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path = os.path.join(folder, "model.safetensors")
        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
        size = os.path.getsize(path)
        bench.sync()
        start = time.perf_counter()
        tensors = load_file(path, device=str(bench.device))
        model.load_state_dict(tensors, assign=True)
        bench.sync()
        seconds = time.perf_counter() - start
    bench.rows.append(dict(stage="load", bytes=size, steady=seconds))
    print(f"| load, {size / 2**30:.3f} GiB | | {seconds:.3f} | |")


if __name__ == "__main__":
    main()
