"""Lets transformers compute the logits that gpu-check compares with.

    torch_logits.py DEVICE JOBS

JOBS is a file with a line of JSON for each model: {"name": NAME, "folder": FOLDER,
"prompts": [[ID, ...], ...], "float32": FILE, "bfloat16": FILE}. Each FILE receives [tokens of all prompts, vocab_size] float32,
little-endian, of the network run in that type. Prints a line of JSON per file written, or why there is none.
"""

import json
import os
import sys


def write_logits(torch, transformers, device, job, dtype, path):
    options = {"attn_implementation": "eager", "local_files_only": True}
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            job["folder"], dtype=dtype, **options
        )
    except TypeError:  # transformers before 4.56
        model = transformers.AutoModelForCausalLM.from_pretrained(
            job["folder"], torch_dtype=dtype, **options
        )
    model = model.eval().to(device)
    part = path + ".part"
    with torch.no_grad(), open(part, "wb") as out:
        for ids in job["prompts"]:
            rows = model(torch.tensor([ids], device=device)).logits[0]
            out.write(rows.float().cpu().contiguous().numpy().astype("<f4").tobytes())
    os.replace(part, path)  # so that a file that is there is whole


def main():
    device, jobs = sys.argv[1:]
    try:
        import torch
        import transformers
    except ImportError as e:
        print(json.dumps({"problem": str(e)}))
        return
    if device == "cuda" and not torch.cuda.is_available():
        print(json.dumps({"problem": "torch %s sees no GPU" % torch.__version__}))
        return
    transformers.utils.logging.disable_progress_bar()
    # Else products of float32 may be of 10 bits.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    print(json.dumps(versions), flush=True)
    with open(jobs, encoding="utf-8") as lines:
        for line in lines:
            job = json.loads(line)
            for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
                row = {"model": job["name"], "type": name}
                try:
                    write_logits(torch, transformers, device, job, dtype, job[name])
                except (RuntimeError, ValueError, OSError, KeyError) as e:
                    row["problem"] = str(e).splitlines()[0]
                print(json.dumps(row), flush=True)


main()
