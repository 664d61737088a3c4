// What users import for loading data.
export { type Collated, type Converted, defaultCollate, defaultConvert } from './collate.ts';
export {
  ChainDataset,
  ConcatDataset,
  Dataset,
  IterableDataset,
  type IterableStyle,
  type MapStyle,
  randomSplit,
  StackDataset,
  Subset,
  TensorDataset,
} from './dataset.ts';
export { DataLoader } from './loader.ts';
export type { DataLoaderOptions } from './options.ts';
export { workerDataset, workerFunction } from './origin.ts';
export {
  BatchSampler,
  DistributedSampler,
  RandomSampler,
  type Sampler,
  SequentialSampler,
  SubsetRandomSampler,
  WeightedRandomSampler,
} from './sampler.ts';
export { serveDatasets } from './serve.ts';
export { getWorkerInfo, type WorkerInfo } from './worker.ts';
