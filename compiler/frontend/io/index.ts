// Tensors in files and bytes: safetensors, checkpoints, NumPy's formats, PyTorch's .pt. Paths are for Node; bytes and Blobs are read everywhere.
export { encodeCheckpoint, type Json, loadCheckpoint, type Progress, saveCheckpoint, type Training } from './checkpoint.ts';
export type { Source } from './files.ts';
export { decodeNpy, decodeNpz, encodeNpy, encodeNpz, loadNpy, loadNpz, saveNpy, saveNpz } from './npy.ts';
export { encodeSafetensors, load, type Metadata, type Named, open, type SafetensorsFile, type SaveOptions, save } from './safetensors.ts';
export { decodeTorch, loadTorch } from './torch.ts';
