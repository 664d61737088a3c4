"""Writes the files of test/frontend/io/files that are read by its tests, and files.json with what they hold:
python test/oracle/files.py (needs torch and numpy)."""

import json
import os

import numpy as np
import torch

here = os.path.dirname(os.path.abspath(__file__))
folder = os.path.join(here, "..", "frontend", "io", "files")
os.makedirs(folder, exist_ok=True)
path = lambda name: os.path.join(folder, name)
torch.manual_seed(0)


def plain(x):
    """Tensors as dtype, shape and flat list; the rest as it is."""
    if isinstance(x, torch.Tensor):
        wide = x.detach().to(torch.float64 if x.is_floating_point() else torch.int64)
        return {"dtype": str(x.dtype)[6:], "shape": list(x.shape), "data": wide.flatten().tolist()}
    if isinstance(x, dict):
        return {str(k): plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(v) for v in x]
    return x


expected = {}

model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
model(torch.randn(4, 3)).square().sum().backward()
optimizer.step()
storage = torch.arange(12, dtype=torch.float32)
files = {
    "model.pt": model.state_dict(),
    "checkpoint.pt": {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "best": 0.5, "notes": [None, True, "ä", 2**40]},
    "dtypes.pt": {
        str(d)[6:]: torch.tensor([0, 1, 2]).to(d)
        for d in [torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool]
    },
    "views.pt": {"all": storage, "columns": storage.view(3, 4).t(), "tail": storage[5:], "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3), "repeated": torch.ones(1).expand(3)},
    "parameter.pt": torch.nn.Parameter(torch.ones(2)),
}
for name, value in files.items():
    torch.save(value, path(name))
    expected[name] = plain(value)

torch.save(model, path("module.pt"))

arrays = {
    "f4": np.arange(6, dtype="<f4").reshape(2, 3),
    "f8-fortran": np.asfortranarray(np.arange(24, dtype="<f8").reshape(2, 3, 4)),
    "f4-big": np.arange(3, dtype=">f4"),
    "f2": np.array([0.5, -2, 65504, np.inf], dtype="<f2"),
    "i2": np.array([-3, 3], dtype="<i2"),
    "u4": np.array([2**32 - 1], dtype="<u4"),
    "i8": np.array([[2**40]], dtype="<i8"),
    "b1": np.array([True, False]),
    "scalar": np.array(7, dtype="<i4"),
    "empty": np.zeros((0, 2), dtype="<f4"),
}
np.savez(path("arrays.npz"), **arrays)
np.savez_compressed(path("compressed.npz"), **arrays)
np.save(path("array.npy"), arrays["f4"])
np.save(path("objects.npy"), np.array([{}, []], dtype=object))
np.save(path("complex.npy"), np.array([1j]))
expected["arrays"] = {k: {"shape": list(v.shape), "data": [str(x) for x in v.flatten().tolist()]} for k, v in arrays.items()}

with open(os.path.join(here, "files.json"), "w") as f:
    json.dump(expected, f, indent=1)
