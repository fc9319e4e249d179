"""Times torch's causal attention in bfloat16, for gpu-check to compare with.

    torch_attention.py DEVICE HEADS KV_HEADS HEAD_DIM PROMPTSxLENGTH ...

Prints a line of JSON per backend and shape: times in milliseconds, or why there are none.
"""

import json
import sys
import time

WARM_UPS = 3
RUNS = 20


def timed(torch, device, work):
    """Milliseconds of every run; by the device's clock, queued at once, where it has one."""
    for _ in range(WARM_UPS):
        work()
    if device != "cuda":
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            work()
            times.append(1e3 * (time.perf_counter() - start))
        return times
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(RUNS + 1)]
    marks[0].record()
    for mark in marks[1:]:
        work()
        mark.record()
    marks[-1].synchronize()
    return [before.elapsed_time(after) for before, after in zip(marks, marks[1:])]


def measure(torch, backend, device, heads, kv_heads, head_dim, prompts, length):
    from torch.nn.attention import sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention

    def random(count):
        return torch.randn(prompts, count, length, head_dim, device=device, dtype=torch.bfloat16)

    query, key, value = random(heads), random(kv_heads), random(kv_heads)
    remark = "torch " + torch.__version__
    with torch.no_grad(), sdpa_kernel(backend):
        grouped = True
        try:
            scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
        except RuntimeError:  # a backend that wants as many key heads as query heads
            grouped = False
            key, value = (x.repeat_interleave(heads // kv_heads, dim=1) for x in (key, value))
            remark += ", keys and values repeated per query head"
        times = timed(
            torch,
            device,
            lambda: scaled_dot_product_attention(
                query, key, value, is_causal=True, enable_gqa=grouped
            ),
        )
    return {"times_ms": times, "remark": remark}


def main():
    device = sys.argv[1]
    heads, kv_heads, head_dim = (int(argument) for argument in sys.argv[2:5])
    try:
        import torch
        from torch.nn.attention import SDPBackend
    except ImportError as e:
        print(json.dumps({"problem": str(e)}))
        return
    if device == "cuda" and not torch.cuda.is_available():
        print(json.dumps({"problem": "torch %s sees no GPU" % torch.__version__}))
        return
    backends = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}
    for shape in sys.argv[5:]:
        prompts, length = (int(number) for number in shape.split("x"))
        for name, backend in backends.items():
            row = {"backend": name, "prompts": prompts, "length": length}
            try:
                row.update(
                    measure(torch, backend, device, heads, kv_heads, head_dim, prompts, length)
                )
            except (RuntimeError, TypeError) as e:
                row["problem"] = str(e).splitlines()[0]
            print(json.dumps(row), flush=True)


main()
